"""The job as its users start it: `python -m pipeline …`, a process whose log is read line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

TIMEOUT_S = 30.0
END_S = 120.0


class Command:
    """Started by making it, in a directory of the test's; killed, if it still runs, where its `with` ends."""

    def __init__(
        self,
        *options: str,
        cwd: Path,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = (sys.executable, "-m", "pipeline"),
    ) -> None:
        """`environment` is added to the one of this process, which names the stand-in for AWS."""
        self._process = subprocess.Popen(
            [*program, *options],
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Leave no process behind."""
        self._process.kill()
        self.wait()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def log(self) -> list[str]:
        """The lines of its standard error up to now."""
        with self._changed:
            return list(self._lines)

    def lines_with(self, text: str) -> list[str]:
        """Answer what it logged that contains `text`."""
        return [line for line in self.log if text in line]

    def wait_for_line(self, text: str, *, times: int = 1) -> None:
        """Return when that many lines contain `text`."""
        with self._changed:
            found = self._changed.wait_for(lambda: sum(text in line for line in self._lines) >= times, TIMEOUT_S)
        assert found, f"{times} times {text!r} is not in:\n{self}"

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill_group(self) -> None:
        """Kill it and every process that it started, without a word."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self.wait()

    def children(self) -> list[int]:
        """Answer the ids of the processes that it started, the oldest first."""
        pid = self._process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def peak_memory_kib(self) -> int | None:
        """Answer the most memory that it ever had, as Linux counts it; None once it has ended."""
        try:
            status = Path(f"/proc/{self._process.pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")), None)

    def wait(self, timeout_s: float = TIMEOUT_S) -> int:
        """Wait for its end, and answer the exit code; its log is complete then."""
        try:
            code = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise AssertionError(f"still running after {timeout_s} s:\n{self}") from None
        self._reader.join(TIMEOUT_S)
        return code

    def __str__(self) -> str:
        """Its log, for a failed test."""
        return "\n".join(self.log)

    def __repr__(self) -> str:
        """Its log too: this is what pytest prints of an assertion's message."""
        return f"a command that logged:\n{self}\n"

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                with self._changed:
                    self._lines.append(line.rstrip("\n"))
                    self._changed.notify_all()


def finished(
    *options: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, where a test wants its standard output apart from its log, and judges the exit code."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *options],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
    )


def is_alive(pid: int) -> bool:
    """Whether a process has not ended; one that has may still be waited for by whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(condition: Callable[[], bool], timeout_s: float = TIMEOUT_S) -> bool:
    """Ask until the answer is yes, or it is too late; answer whether it was."""
    ends_at, pause = time.monotonic() + timeout_s, threading.Event()
    while not condition():
        if time.monotonic() > ends_at:
            return False
        pause.wait(0.05)
    return True
