"""The outage guard: when a whole class of work fails for an outside reason, stop burning receives and probe instead.

Work is of two classes, reading source objects and writing outputs. A class is out when `OUTAGE_MESSAGES` different
messages failed in it, for reasons in `OUTSIDE_KINDS`, with no success in between: one forbidden object among good ones
is not an outage, whatever how often it is received. While a class is out nothing is received but one message at a time,
after a growing delay; the first success ends the pause.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from transforms.failures import OUTSIDE_KINDS, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

OUTAGE_MESSAGES = 3
"""So few that an outage costs few receives, and more than one or two bad objects in an idle queue."""
FIRST_PROBE_DELAY_S = 1.0
MAX_PROBE_DELAY_S = 15.0
"""So short that full speed is back within half a minute."""

_NOT_ASKED_KINDS = frozenset(
    {
        FailureKind.UNREADABLE_NOTIFICATION,
        FailureKind.BUCKET_NOT_ALLOWED,
        FailureKind.RECEIVED_TOO_OFTEN,
        FailureKind.INTERNAL_ERROR,
    }
)
"""Failures that say nothing about the outside: they came before it was asked, or nobody knows."""

SOURCE = "reading objects"
OUTPUT = "writing results"


def area_of(kind: FailureKind) -> str:
    """Which class of work a failure of this kind belongs to."""
    return OUTPUT if kind is FailureKind.WRITE_FAILED else SOURCE


class OutageGuard:
    """Safe to call from any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: dict[str, set[str]] = {SOURCE: set(), OUTPUT: set()}
        self._since: float | None = None
        self._next_probe_at = 0.0
        self._probe_delay_s = FIRST_PROBE_DELAY_S

    @property
    def pausing(self) -> bool:
        """Whether some class of work is out."""
        return self._since is not None

    @property
    def paused_s(self) -> float:
        """For how long it has been pausing; 0 if it is not."""
        since = self._since
        return 0.0 if since is None else self._clock() - since

    def areas(self) -> list[str]:
        """Which classes of work are out; while it pauses, at least one."""
        with self._lock:
            if self._since is None:
                return []
            return [area for area, failed in self._failed.items() if len(failed) >= OUTAGE_MESSAGES]

    def failed(self, kind: FailureKind, message_id: str, detail: str) -> None:
        """Note a failure; that of an object which was read, or is gone, says that the outside answered."""
        if kind not in OUTSIDE_KINDS:
            if kind not in _NOT_ASKED_KINDS:
                self.succeeded(SOURCE)
            return
        area = area_of(kind)
        with self._lock:
            if len(self._failed[area]) < OUTAGE_MESSAGES:
                self._failed[area].add(message_id)
            if self._since is not None or len(self._failed[area]) < OUTAGE_MESSAGES:
                return
            self._since = self._clock()
            self._next_probe_at = self._since + FIRST_PROBE_DELAY_S
            self._probe_delay_s = 2 * FIRST_PROBE_DELAY_S
        log.warning("outage: %s fails for every message (%s: %s); receiving pauses and probes", area, kind, detail)

    def succeeded(self, area: str) -> None:
        """Note a success; it ends the pause when no other class of work is out."""
        if not self._failed[area]:  # the hot path takes no lock
            return
        with self._lock:
            self._failed[area].clear()
            if self._since is None or any(len(failed) >= OUTAGE_MESSAGES for failed in self._failed.values()):
                return
            lasted, self._since = self._clock() - self._since, None
        log.warning("outage over: %s works again after %.0f s", area, lasted)

    def may_probe(self) -> bool:
        """While pausing: whether one message may be tried now. Each yes makes the next one come later."""
        with self._lock:
            now = self._clock()
            if self._since is None or now < self._next_probe_at:
                return False
            self._next_probe_at = now + self._probe_delay_s
            self._probe_delay_s = min(2 * self._probe_delay_s, MAX_PROBE_DELAY_S)
            return True

    def probe_again(self) -> None:
        """Note that a probe proved nothing, for example because its result was there already: the next may come now."""
        with self._lock:
            self._next_probe_at = self._clock()
            self._probe_delay_s = max(self._probe_delay_s / 2, FIRST_PROBE_DELAY_S)
