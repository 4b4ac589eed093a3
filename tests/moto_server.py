"""A stand-in for SQS and S3 in a process of its own: obstore cannot be mocked in this one, and it has its own GIL.

`python -m tests.moto_server` serves until its standard input ends, so that it never outlives whoever started it.

It is as SQS is, but for one thing: it never delivers a message twice by itself, so that tests can count.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path


class MotoServer:
    """Started by making it, stopped by `stop`."""

    def __init__(self) -> None:
        """Return when the server answers; `url` is where."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.moto_server"],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            self.stop()
            raise RuntimeError("the moto server did not start: see its error output")

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()


UNINTERRUPTED_S = 10.0
"""A thread of the server goes on until it waits for something: moto looks whether a message is visible and then hides
it, and a second receive in between would have the same message."""


def _serve() -> None:
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - a second that only the server's process needs

    sys.setswitchinterval(UNINTERRUPTED_S)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)  # noqa: T201 - its one answer
    sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    _serve()
