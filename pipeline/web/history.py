"""What was lately, pipeline by pipeline: rates of the last seconds, durations of the last minute, and the last minutes.

Rates are taken between the moments at which a process spoke, not those at which somebody listened: it speaks once a
second, and the difference would look like a job that stumbles.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.aggregates import View
    from transforms.histograms import Observed

SAMPLE_EVERY_S = 2.0
SAMPLES_FOR_RATES = 5
SAMPLES_FOR_DURATIONS = 30
SAMPLES_TOLD = 150
"""Five minutes."""

FINISHED, FAILED = ("stored", "ignored"), ("set_aside", "returned")


@dataclass(frozen=True, slots=True)
class Lately:
    """What one pipeline did."""

    rates: Mapping[str, float] | None = None
    """Events a second, by their name in `Tally`; None until two samples tell."""
    observed: Mapping[str, Observed] = field(default_factory=dict)
    """What the histograms of `Tally` took in during the last minute."""
    over_s: float = 0.0
    """How long that minute is, while the job is younger."""
    finished: Sequence[float] = ()
    """Messages a second that were stored or ignored, a value each `SAMPLE_EVERY_S`, the newest last."""
    failed: Sequence[float] = ()
    """Messages a second that were set aside or returned."""


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    counts: Mapping[str, int]
    histograms: Mapping[str, Observed]


class _Trace:
    def __init__(self) -> None:
        self.samples: deque[_Sample] = deque(maxlen=SAMPLES_FOR_DURATIONS + 1)
        self.finished: deque[float] = deque(maxlen=SAMPLES_TOLD)
        self.failed: deque[float] = deque(maxlen=SAMPLES_TOLD)

    def add(self, sample: _Sample) -> None:
        if self.samples:
            rates = _rates(self.samples[-1], sample)
            self.finished.append(sum(rates.get(door, 0.0) for door in FINISHED))
            self.failed.append(sum(rates.get(door, 0.0) for door in FAILED))
        self.samples.append(sample)

    def lately(self) -> Lately:
        first, last = self.samples[0], self.samples[-1]
        if first is last:
            return Lately()
        return Lately(
            rates=_rates(self.samples[-1 - min(SAMPLES_FOR_RATES, len(self.samples) - 1)], last),
            observed=_observed_between(first, last),
            over_s=last.at - first.at,
            finished=list(self.finished),
            failed=list(self.failed),
        )


class History:
    """Remembers samples for as long as they are told. Safe to call from any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._due_at = clock()
        self._traces: dict[int, _Trace] = {}

    def sample(self, look: Callable[[], Sequence[View]]) -> None:
        """Take a sample of each pipeline, if it is time for one."""
        with self._lock:
            now = self._clock()
            if now < self._due_at:
                return
            self._due_at = max(self._due_at + SAMPLE_EVERY_S, now)
            for view in look():
                said_at = now - view.heard_s if view.snapshot else now
                sample = _Sample(said_at, view.counts, view.histograms)
                self._traces.setdefault(view.number, _Trace()).add(sample)

    def lately(self, number: int) -> Lately:
        """Answer what pipeline `number` did."""
        with self._lock:
            trace = self._traces.get(number)
            return trace.lately() if trace else Lately()


def _rates(one: _Sample, other: _Sample) -> Mapping[str, float]:
    """Answer events a second; none where it said nothing new."""
    over_s = other.at - one.at
    if over_s <= 0:
        return {}
    return {event: (count - one.counts.get(event, 0)) / over_s for event, count in other.counts.items()}


def _observed_between(one: _Sample, other: _Sample) -> dict[str, Observed]:
    return {name: _less(observed, one.histograms.get(name)) for name, observed in other.histograms.items()}


def _less(observed: Observed, before: Observed | None) -> Observed:
    if before is None:
        return observed
    counts = [now - then for now, then in zip(observed["counts"], before["counts"], strict=True)]
    return {"counts": counts, "sum": observed["sum"] - before["sum"]}
