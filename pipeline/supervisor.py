"""`--pipelines`: worker processes with a source each, started again when they crash, stopped together.

An exit that nobody asked for is a crash, whatever its code: what the worker held comes back from SQS by itself. One
thread, one loop: it wakes for signals (also of ended children), for a worker that has started, and for restarts.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from typing import TYPE_CHECKING

from pipeline.signals import ASKING, read_signals
from pipeline.supervised import PERIOD_S, RESTARTS, Supervised, described
from transforms.events import EventLog
from transforms.processing_timeout import HUNG_EXIT_CODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.aggregates import View

log = logging.getLogger(__name__)

CANNOT_START = 2
JOB_FAILED = 1
_NEVER = float("inf")
GRACE_S = 10.0
"""After `--drain_timeout_s`, in which a worker leaves by itself; one that does not is killed."""


class Supervisor:
    """Runs `pipelines` processes of `command` until all have ended for good."""

    def __init__(
        self,
        command: Sequence[str],
        pipelines: int,
        *,
        is_bounded: bool,
        drain_timeout_s: float,
        is_observed: bool = False,
    ) -> None:
        """`is_bounded`: they end by themselves. `is_observed`: they say all the time what they do."""
        self._command, self._is_bounded, self._patience_s = command, is_bounded, drain_timeout_s + GRACE_S
        self._pipelines = [Supervised(number, pipelines) for number in range(1, pipelines + 1)]
        self._total, self._crashed, self._code = EventLog(), 0, 0
        self._stops, self._kill_at = False, _NEVER
        self._life, self._our_end = os.pipe()
        self._is_observed = is_observed

    def look(self) -> list[View]:
        """Answer every pipeline as it is now; from any thread."""
        return [pipeline.aggregate.view() for pipeline in self._pipelines]

    def run(self) -> int:
        """Answer the exit code."""
        self._pipelines[0].due_at = time.monotonic()  # the others follow when nothing refuses the job
        try:
            with read_signals() as wake:
                while any(pipeline.is_running or pipeline.due_at is not None for pipeline in self._pipelines):
                    self._turn(wake)
        finally:
            self._stop()
            os.close(self._life)
        if (len(self._pipelines) > 1 and any(pipeline.has_started for pipeline in self._pipelines)) or self._crashed:
            crashed = f"; {self._crashed} crashed, what they held comes back by itself" if self._crashed else ""
            log.info("stopped: %s%s", self._total.summary(), crashed)
        return self._code

    def _turn(self, wake: int) -> None:
        signals = self._wait(wake)
        for pipeline in self._pipelines:
            pipeline.listen()  # first: a stop treats those that have started differently
        for number in signals:
            if number in ASKING:
                self._on_signal(number)
        for pipeline in self._pipelines:
            code = pipeline.exit_code()
            if pipeline.has_started and not self._stops:
                self._start_others()
            if code is not None:
                self._on_exit(pipeline, code)
        now = time.monotonic()
        if now >= self._kill_at:
            self._kill("does not stop")
        for pipeline in self._pipelines:
            if pipeline.due_at is not None and now >= pipeline.due_at:
                pipeline.start(self._command, self._life)

    def _wait(self, wake: int) -> bytes:
        """Answer the signals that came."""
        until = min([self._kill_at, *(p.due_at for p in self._pipelines if p.due_at is not None)])
        speaking = [p.reports for p in self._pipelines if p.is_running and (self._is_observed or not p.has_started)]
        timeout_s = None if until == _NEVER else max(0.0, until - time.monotonic())
        readable, _, _ = select.select([wake, *speaking], [], [], timeout_s)
        return os.read(wake, 4096) if wake in readable else b""

    def _start_others(self) -> None:
        for pipeline in self._pipelines:
            if pipeline.is_new and pipeline.due_at is None:
                pipeline.due_at = time.monotonic()

    def _on_signal(self, number: int) -> None:
        if self._stops:
            self._code = 128 + number  # as shells say it
            self._kill("is left at once")
        self._stop()

    def _on_exit(self, pipeline: Supervised, code: int) -> None:
        for name, amount in pipeline.counts().items():
            self._total.count(name, amount)
        if code == CANNOT_START and not pipeline.has_started:  # it has said why
            self._code = CANNOT_START
            self._stop()
        elif self._stops and code == HUNG_EXIT_CODE:  # what hung is settled, and a stop leaves what is in hand
            self._crashed += 1
        elif self._stops:
            self._code = self._code or (JOB_FAILED if code and pipeline.has_started else 0)
        elif self._is_bounded and code in {0, JOB_FAILED}:
            self._code = self._code or code
        else:
            self._on_crash(pipeline, code)

    def _on_crash(self, pipeline: Supervised, code: int) -> None:
        self._crashed += 1
        wait_s = pipeline.crashed()
        number, how = pipeline.number, described(code)
        if wait_s is not None:
            log.error("pipeline %d crashed (%s); it starts again in %g s", number, how, wait_s)
            return
        log.error("pipeline %d crashed (%s), more than %d times in %g s: the job ends", number, how, RESTARTS, PERIOD_S)
        self._code = self._code or JOB_FAILED
        self._stop()

    def _stop(self) -> None:
        """Ask once, by closing our end: a signal would be a second one where service managers signal every process."""
        if self._stops:
            return
        self._stops, self._kill_at = True, time.monotonic() + self._patience_s
        os.close(self._our_end)
        for pipeline in self._pipelines:
            pipeline.due_at, pipeline.is_new = None, False
            if not pipeline.has_started:  # it holds nothing, and may not listen yet
                pipeline.signal(signal.SIGTERM)

    def _kill(self, why: str) -> None:
        self._kill_at = _NEVER
        for pipeline in self._pipelines:
            if pipeline.is_running:
                log.warning("pipeline %d %s; what it holds comes back by itself", pipeline.number, why)
                pipeline.signal(signal.SIGKILL)
