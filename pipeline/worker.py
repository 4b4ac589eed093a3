"""A supervised process's side: which pipeline it is, its supervisor's life and its own account, over two pipes.

The supervisor holds the write end of the first pipe and never writes: its end, however it comes about, is the request
to stop. On the second pipe the worker says that it has started, each second what it does if somebody looks on
(`--metrics_port`), and at its end what it counted.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.events import EVENTS

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from pipeline.snapshots import Snapshot

VARIABLE = "SUPERVISED_SQS_PIPELINE"
"""Not among the `SQS_PIPELINE_…` variables: those are the user's, and a misspelt one is refused."""

_SAY_S = 5.0
"""A supervisor that does not read for so long is told no more: it must not keep its worker from ending."""
_saying = threading.Lock()


@dataclass(frozen=True, slots=True)
class Worker:
    """Pipeline `number` of `pipelines`, and its ends of the two pipes."""

    number: int
    pipelines: int
    life: int
    report: int

    @classmethod
    def of(cls, environ: MutableMapping[str, str]) -> Worker | None:
        """Answer which worker this process is, if it is one. What it starts itself is none, and has no such pipes."""
        text = environ.pop(VARIABLE, None)
        if text is None:
            return None
        worker = cls(*map(int, text.split()))
        os.set_inheritable(worker.life, False)
        os.set_inheritable(worker.report, False)
        return worker

    def __str__(self) -> str:
        """What `of` reads."""
        return f"{self.number} {self.pipelines} {self.life} {self.report}"

    @property
    def name(self) -> str:
        """What its log lines begin with; nothing if it is the only one."""
        return str(self.number) if self.pipelines > 1 else ""

    def started(self, stop: threading.Event) -> None:
        """Say that nothing refuses the job, and set `stop` when the supervisor ends, or ends this pipe."""
        self._say({"started": True})
        threading.Thread(target=self._await_supervisor, args=(stop,), name="supervisor-watch", daemon=True).start()

    def tell(self, snapshot: Snapshot) -> None:
        """Say what it does now. Waits for a supervisor that does not read."""
        self._say({"snapshot": snapshot})

    def ended(self) -> None:
        """Hand over the counters."""
        self._say({"counts": dict(EVENTS.counts())})

    def _await_supervisor(self, stop: threading.Event) -> None:
        os.read(self.life, 1)
        stop.set()

    def _say(self, word: dict[str, object]) -> None:
        line = memoryview(json.dumps(word).encode() + b"\n")
        if not _saying.acquire(timeout=_SAY_S):  # or two lines would mix
            return
        try:
            while line:
                line = line[os.write(self.report, line) :]
        except BrokenPipeError:  # the supervisor is dead; the log has the summary
            return
        finally:
            _saying.release()
