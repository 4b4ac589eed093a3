"""How far a backfill is: a bar where a person watches, a log line now and then elsewhere."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.events import DOORS, EVENTS
from transforms.failures import FinishedKind
from transforms.records import Door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.options import Settings

log = logging.getLogger(__name__)

LINE_S = 30.0
"""Between two lines of a log."""
WINDOW_S = 60.0
"""Over which the rate is measured: long enough to be steady, short enough to follow what changes."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What was listed and what of it is done, at one moment."""

    done: int
    listed: int
    is_complete: bool
    """Nothing more will be listed."""
    rate: float = 0.0
    """Objects done in a second, lately."""

    @property
    def left_s(self) -> float | None:
        """How long the rest takes at this rate; None as long as nobody can know."""
        if not self.is_complete or not self.rate:
            return None
        return (self.listed - self.done) / self.rate

    def __str__(self) -> str:
        """Say it in a line."""
        percent = f" ({100 * self.done // self.listed}%)" if self.is_complete and self.listed else ""
        so_far = "" if self.is_complete else " so far"
        left = "" if self.left_s is None else f", {duration(self.left_s)} left"
        return f"{self.done:,} done of {self.listed:,} objects listed{so_far}{percent}, {self.rate:,.0f}/s{left}"


class Pace:
    """Looks at the counters now and then, and knows the rate between looks."""

    def __init__(self, done: Callable[[Mapping[str, int]], int], clock: Callable[[], float] = time.monotonic) -> None:
        """`done` finds in all counters how many objects are done."""
        self._done = done
        self._clock = clock
        self._looks: deque[tuple[float, int]] = deque([(clock(), 0)])

    def look(self) -> Progress:
        """Answer how far it is now."""
        counts, now = EVENTS.counts(), self._clock()
        done = self._done(counts)
        self._looks.append((now, done))
        while len(self._looks) > 2 and self._looks[1][0] <= now - WINDOW_S:  # noqa: PLR2004 - one to begin, one to end
            self._looks.popleft()
        began_at, before = self._looks[0]
        rate = (done - before) / (now - began_at) if now > began_at else 0.0
        return Progress(done, counts["listed"], bool(counts["listing_complete"]), rate)


@contextmanager
def shown(
    settings: Settings, *, workers_here: bool, done: Callable[[Mapping[str, int]], int] | None = None
) -> Iterator[None]:
    """Show how far a backfill of this process is for as long as the `with` lasts, and tell at its end what was listed.

    Nothing, where there is no backfill or another process counts. Several processes would write over each other's
    bars, so they write lines.
    """
    backfill = settings.receive.backfill
    if backfill is None or not workers_here:
        yield
        return
    pace, ended = Pace(done or _settled), threading.Event()
    watched = _is_watched() and settings.run.log_format == "text" and backfill.share[1] == 1
    teller = threading.Thread(target=_draw if watched else _tell, args=(pace, ended), name="progress", daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()
        log.info("backfill: %s", _listed(EVENTS.counts()))


def _is_watched() -> bool:
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in {"dumb", "unknown"}


def duration(seconds: float) -> str:
    """Write a duration as a person would: its two largest parts."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _settled(counts: Mapping[str, int]) -> int:
    return sum(counts[door] for door in DOORS if door is not Door.RETURNED)


def _listed(counts: Mapping[str, int]) -> str:
    listed = f"{counts['listed']:,} objects listed ({counts['listed_bytes']:,} bytes)"
    if not counts["listing_complete"]:
        listed += " and not all of them"
    parts = {
        "had a result": counts[FinishedKind.ALREADY_FINISHED],
        "filtered": counts[FinishedKind.FILTERED],
        "outside --since and --until": counts["outside_time"],
        "directory markers": counts["directory_markers"],
    }
    return ", ".join([listed, *(f"{number:,} {name}" for name, number in parts.items() if number)])


def _draw(pace: Pace, ended: threading.Event) -> None:
    from pipeline.progress_bar import draw  # noqa: PLC0415 - imports rich, a tenth of a second for who watches

    draw(pace.look, ended)


def _tell(pace: Pace, ended: threading.Event) -> None:
    while not ended.wait(LINE_S):
        progress = pace.look()
        fields = {"done": progress.done, "listed": progress.listed, "listing_complete": progress.is_complete}
        log.info(
            "backfill: %s", progress, extra={"fields": fields | {"rate": progress.rate, "left_s": progress.left_s}}
        )
