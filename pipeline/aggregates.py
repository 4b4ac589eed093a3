"""What one pipeline has told of itself, its dead processes too, so that no counter goes down when one starts again."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from transforms.event_tallies import FAILURES_KEPT
from transforms.histograms import added
from transforms.metric_table import CRASHED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.snapshots import Snapshot
    from transforms.event_tallies import RecentFailure
    from transforms.histograms import Observed

State = Literal["starting", "running", "restarting", "ended"]
"""`starting`: nothing refused it yet. `restarting`: it crashed, and waits for its next start."""


@dataclass(frozen=True, slots=True)
class View:
    """One pipeline at one moment."""

    number: int
    state: State
    state_s: float
    """Since when, in seconds."""
    crashes: int
    counts: Mapping[str, int]
    """Of all its processes, as `Tally` has them."""
    histograms: Mapping[str, Observed]
    failures: list[RecentFailure]
    """The newest last."""
    snapshot: Snapshot | None
    """The last one of the process that runs; its own counts are part of `counts`."""
    heard_s: float
    """Since that snapshot, or since the process was started."""

    @property
    def in_flight(self) -> int:
        """Messages whose fate SQS does not know yet."""
        return self.snapshot["in_flight"]["messages"] if self.snapshot else 0


class Aggregate:
    """Adds up what the processes of pipeline `number` say. The supervisor writes, a server's threads read."""

    def __init__(self, number: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        """It has not started; `clock` counts seconds."""
        self._number = number
        self._clock = clock
        self._lock = threading.Lock()
        self._state: State = "starting"
        self._since = self._heard_at = clock()
        self._crashes = 0
        self._counts: Counter[str] = Counter()
        self._histograms: dict[str, Observed] = {}
        self._failures: deque[RecentFailure] = deque(maxlen=FAILURES_KEPT)
        self._snapshot: Snapshot | None = None

    def becomes(self, state: State) -> None:
        """Note what its process does now."""
        with self._lock:
            if state != self._state:
                self._state, self._since = state, self._clock()
            if state == "starting":
                self._heard_at = self._clock()

    def hear(self, snapshot: Snapshot) -> None:
        """Take in what its process says."""
        with self._lock:
            self._snapshot, self._heard_at = snapshot, self._clock()

    def end(self, counts: Mapping[str, int] | None) -> None:
        """Keep what its process, which has ended, counted: by its last word, or else by its last snapshot."""
        with self._lock:
            snapshot, self._snapshot = self._snapshot, None
            if snapshot is not None:
                self._histograms = _added(self._histograms, snapshot["tally"]["histograms"])
                self._failures.extend(snapshot["tally"]["failures"])
            if counts is not None:
                self._counts.update(counts)
            elif snapshot is not None:
                self._counts.update(snapshot["tally"]["counts"])
                held = snapshot["in_flight"]["messages"]
                self._counts.update({"returned": held, f"returned/{CRASHED}": held})
            self._state, self._since = "ended", self._clock()

    def crash(self) -> None:
        """Count a crash, and wait for the next start."""
        with self._lock:
            self._crashes += 1
            self._state = "restarting"

    def view(self) -> View:
        """Answer everything, at one moment."""
        with self._lock:
            now, counts, histograms = self._clock(), self._counts.copy(), self._histograms
            failures = list(self._failures)
            if self._snapshot is not None:
                tally = self._snapshot["tally"]
                counts.update(tally["counts"])
                histograms = _added(histograms, tally["histograms"])
                failures = (failures + tally["failures"])[-FAILURES_KEPT:]
            return View(
                number=self._number,
                state=self._state,
                state_s=now - self._since,
                crashes=self._crashes,
                counts=counts,
                histograms=histograms,
                failures=failures,
                snapshot=self._snapshot,
                heard_s=now - self._heard_at,
            )


def _added(some: Mapping[str, Observed], more: Mapping[str, Observed]) -> dict[str, Observed]:
    return {**some, **{name: added(some.get(name), observed) for name, observed in more.items()}}
