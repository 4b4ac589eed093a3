"""A local AWS to try things on: moto's server, S3 and SQS over real HTTP on a free port.

Run as a script it *is* the server: it prints its address, then serves until its standard input ends. So it cannot
outlive whoever started it, however that one ended, unless it was told to: a line `keep` lets it serve until killed.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from pathlib import Path

REGION = "us-east-1"
STOP_S = 5


@dataclass(frozen=True, slots=True)
class LocalAws:
    """A running server."""

    endpoint: str
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, log: Path) -> LocalAws:
        """Start the server in a session of its own, so that Ctrl-C reaches only us; its chatter goes to `log`."""
        with log.open("wb") as chatter:
            process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=chatter,
                text=True,
                start_new_session=True,
            )
        try:
            endpoint = process.stdout.readline().strip() if process.stdout else ""
        except BaseException:
            process.kill()
            process.wait()
            raise
        if not endpoint:
            raise RuntimeError(f"the local AWS did not start:\n{log.read_text(errors='replace')}")
        return cls(endpoint, process)

    def stop(self) -> None:
        """End the server, by force if it does not end when asked."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def keep(self) -> None:
        """Let the server outlive us."""
        if self.process.stdin:
            self.process.stdin.write("keep\n")
            self.process.stdin.close()

    @property
    def is_kept(self) -> bool:
        """Whether the server outlives us."""
        return self.process.stdin is not None and self.process.stdin.closed

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 ships no types
        """Connect to `s3` or `sqs`, whatever profile, proxy or credentials this shell is set up for."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 - moto takes anything
            config=Config(proxies={}),
        )

    def exports(self, queue_url: str) -> dict[str, str]:
        """What to export for the job, the AWS CLI or anything else to use this AWS."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": REGION,
            "SQS_QUEUE_URL": queue_url,
        }

    def environment(self, queue_url: str) -> dict[str, str]:
        """Answer this shell's environment with `exports` alone in the place of any other AWS settings."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SQS_"))}
        nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        return ours | nothing | direct | self.exports(queue_url)


def serve() -> None:
    """Be the server."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - takes a second that only the server needs

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    if sys.stdin.readline() == "keep\n":
        threading.Event().wait()


if __name__ == "__main__":
    serve()
