"""One pipeline as its supervisor sees it: a process now and then, what it says, and how often it crashed lately."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from pipeline.aggregates import Aggregate
from pipeline.worker import VARIABLE, Worker

if TYPE_CHECKING:
    from collections.abc import Sequence

RESTARTS, PERIOD_S = 5, 60.0
"""More restarts in this time, and it is given up: it crashes whatever it receives, and somebody must know."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 5.0
"""Before a restart; twice as long each time. Short enough in sum for the limit above to be reached at all."""


class Supervised:
    """Pipeline `number` of `pipelines`, not started yet."""

    def __init__(self, number: int, pipelines: int) -> None:
        """Numbers begin with 1."""
        self.number, self.pipelines = number, pipelines
        self.due_at: float | None = None
        """When to start it, or to start it again."""
        self.is_new = True
        self.reports = -1
        self.aggregate = Aggregate(number)
        """What it said of itself, for whoever looks on."""
        self.has_started = False
        """It said that nothing refuses the job; before that it holds nothing."""
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = b""
        self._last_counts: dict[str, int] | None = None
        self._crashes: deque[float] = deque()

    @property
    def is_running(self) -> bool:
        """Its process is there, or its exit code was not taken yet."""
        return self._process is not None

    def start(self, command: Sequence[str], life: int) -> None:
        """Start its process."""
        self.reports, report = os.pipe()
        os.set_blocking(self.reports, False)
        worker = Worker(self.number, self.pipelines, life, report)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                env={**os.environ, VARIABLE: str(worker)},
                pass_fds=(life, report),
                process_group=0,  # or Ctrl-C reached it beside our request to stop, and a second one means "at once"
            )
        finally:
            os.close(report)
        self._heard, self._last_counts, self.has_started = b"", None, False
        self.due_at, self.is_new = None, False
        self.aggregate.becomes("starting")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._process:
            self._process.send_signal(number)

    def exit_code(self) -> int | None:
        """Listen, and answer how it ended, once, if it has."""
        code = self._process.poll() if self._process else None
        self.listen()
        if code is not None:
            self._process = None
            os.close(self.reports)
            self.aggregate.end(self._last_counts)
        return code

    def counts(self) -> Counter[str]:
        """What it counted in its last life, if it came to say so."""
        return Counter(self._last_counts or {})

    def crashed(self) -> float | None:
        """Count a crash; answer after how many seconds it starts again, or None: it is given up."""
        now = time.monotonic()
        self.aggregate.crash()
        self._crashes.append(now)
        while self._crashes[0] < now - PERIOD_S:
            self._crashes.popleft()
        lately = len(self._crashes)
        if lately > RESTARTS:
            return None
        wait_s: float = min(FIRST_WAIT_S * 2 ** (lately - 1), LONGEST_WAIT_S)
        self.due_at = now + wait_s
        return wait_s

    def listen(self) -> None:
        """Take in what it has said; never waits."""
        if not self._process:
            return
        try:
            while piece := os.read(self.reports, 65536):
                self._heard += piece
        except BlockingIOError:  # that was all, and it may say more
            pass
        *lines, self._heard = self._heard.split(b"\n")
        for line in lines:
            self._take_in(json.loads(line))

    def _take_in(self, word: dict[str, Any]) -> None:
        if "started" in word:
            self.has_started = True
            self.aggregate.becomes("running")
        if "snapshot" in word:
            self.aggregate.hear(word["snapshot"])
        self._last_counts = word.get("counts", self._last_counts)


def described(code: int) -> str:
    """Say how a process ended."""
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
