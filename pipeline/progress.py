"""How far a job is that ends by itself: a bar where a person watches, a log line now and then elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from transforms.events import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

log = logging.getLogger(__name__)

LINE_S = 30.0
"""Between two lines of a log."""
WINDOW_S = 60.0
"""Over which the rate is measured: long enough to be steady, short enough to follow what changes."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What is done, and of how much, at one moment."""

    done: int
    total: int | None
    """Known by now; None where nobody knows."""
    is_complete: bool
    """The total will not grow."""
    rate: float = 0.0
    """Done in a second, lately."""
    what: str = "objects listed"

    @property
    def left_s(self) -> float | None:
        """How long the rest takes at this rate; None as long as nobody can know."""
        if not self.is_complete or not self.rate or self.total is None:
            return None
        return max(0, self.total - self.done) / self.rate

    def __str__(self) -> str:
        """Say it in a line."""
        if self.total is None:
            return f"{self.done:,} {self.what} done, {self.rate:,.0f}/s"
        percent = f" ({100 * self.done // self.total}%)" if self.is_complete and self.total else ""
        so_far = "" if self.is_complete else " so far"
        left = "" if self.left_s is None else f", {duration(self.left_s)} left"
        return f"{self.done:,} done of {self.total:,} {self.what}{so_far}{percent}, {self.rate:,.0f}/s{left}"


class Meter(Protocol):
    """Measures how far one job is on its way to its end."""

    name: str
    """The mode, as its line begins."""

    def now(self, counts: Mapping[str, int]) -> Progress:
        """Answer how far it is, by the counters of this process; the rate is not its business."""

    def summary(self, counts: Mapping[str, int]) -> str:
        """Say at the end what the summary of the job does not; nothing, if there is nothing."""


class Pace:
    """Looks at the counters now and then, and knows the rate between looks."""

    def __init__(self, meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
        """`meter` says what is done, and of how much."""
        self._meter = meter
        self._clock = clock
        self._looks: deque[tuple[float, int]] = deque([(clock(), 0)])

    def look(self) -> Progress:
        """Answer how far it is now."""
        now, at = self._meter.now(EVENTS.counts()), self._clock()
        self._looks.append((at, now.done))
        while len(self._looks) > 2 and self._looks[1][0] <= at - WINDOW_S:  # noqa: PLR2004 - one to begin, one to end
            self._looks.popleft()
        began_at, before = self._looks[0]
        return replace(now, rate=(now.done - before) / (at - began_at)) if at > began_at else now


@contextmanager
def shown(meter: Meter | None, *, log_format: str, alone: bool = True) -> Iterator[None]:
    """Show how far it is for as long as the `with` lasts, and tell at its end what `meter` sums up; else nothing.

    Not `alone`: several processes would write over each other's bars, so they write lines.
    """
    if meter is None:
        yield
        return
    pace, ended = Pace(meter), threading.Event()
    watched = _is_watched() and log_format == "text" and alone
    teller = threading.Thread(
        target=_draw if watched else _tell, args=(meter.name, pace, ended), name="progress", daemon=True
    )
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
        summary = meter.summary(EVENTS.counts())
        if summary:
            log.info("%s: %s", meter.name, summary)


def _is_watched() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


def duration(seconds: float) -> str:
    """Write a duration as a person would: its two largest parts."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _draw(name: str, pace: Pace, ended: threading.Event) -> None:
    from pipeline.progress_bar import draw  # noqa: PLC0415 - imports rich, a tenth of a second for who watches

    draw(name, pace.look, ended)


def _tell(name: str, pace: Pace, ended: threading.Event) -> None:
    while not ended.wait(LINE_S):
        progress = pace.look()
        fields = {"done": progress.done, "total": progress.total, "total_is_complete": progress.is_complete}
        log.info(
            "%s: %s", name, progress, extra={"fields": fields | {"rate": progress.rate, "left_s": progress.left_s}}
        )
