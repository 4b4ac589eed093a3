"""What was received and may not be started yet: in order, admitted by bytes, one at a time while an outage lasts.

Large messages have a line of their own: one that has to wait for its bytes holds up no small one.
A message to be alone (`Lease.alone`) goes before all others, when nothing is in hand and SQS knows of all that was.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.records import Finished, ObjectRef

if TYPE_CHECKING:
    from transforms.leases import Lease, LeaseBook
    from transforms.outages import OutageGuard
    from transforms.records import Failure

log = logging.getLogger(__name__)

MAX_TAKEN = 100
"""Records handed out at once: as many as are fetched at once, but not the thousands that a few messages may hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A buffered lease and what its message says."""

    lease: Lease
    outcomes: list[ObjectRef | Finished | Failure]

    @property
    def asks_outside(self) -> bool:
        """Whether something is to be read or written for it."""
        return not all(isinstance(outcome, Finished) for outcome in self.outcomes)


class Buffer:
    """First come, first served. Safe to call from any thread.

    While the guard pauses, what is handed out is a probe. A probe that failed is held here for a later one instead of
    costing its message another receive; messages that were never tried go first.
    """

    def __init__(self, book: LeaseBook, guard: OutageGuard) -> None:
        """The book says whether bytes fit, the guard whether a probe is due."""
        self._book = book
        self._guard = guard
        self._changed = threading.Condition()
        self._fresh: deque[Waiting] = deque()
        self._large: deque[Waiting] = deque()
        self._held: deque[Waiting] = deque()
        self._suspects: deque[Waiting] = deque()
        self._on_probe: dict[str, Waiting] = {}
        self._closed = False

    @property
    def has_fresh(self) -> bool:
        """Whether something waits that was never tried."""
        return bool(self._fresh or self._large or self._suspects)

    def add(self, *received: Waiting) -> None:
        """Put what one receive brought at the end of the line; what is to be alone takes its turn among its like."""
        with self._changed:
            for waiting in received:
                if waiting.lease.alone:
                    self._suspects.append(waiting)
                else:
                    (self._large if self._book.is_large(waiting.lease) else self._fresh).append(waiting)
            if self._suspects:
                self._suspects = deque(sorted(self._suspects, key=_turn))
            self._changed.notify_all()

    def take(self, timeout_s: float) -> list[ObjectRef | Finished | Failure]:
        """Start what may be started, about `MAX_TAKEN` records; wait up to `timeout_s` if that is nothing."""
        with self._changed:
            outcomes = self._take_now()
            if not outcomes:
                self._changed.wait(timeout_s)
                outcomes = self._take_now()
        return outcomes

    def end_probe(self, lease: Lease) -> Waiting | None:
        """If this lease was a probe, answer what it was; its probe is over."""
        if not self._on_probe:
            return None
        with self._changed:
            return self._on_probe.pop(lease.message_id, None)

    def hold(self, waiting: Waiting) -> None:
        """Keep a failed probe for a later one."""
        self._book.put_back(waiting.lease)
        with self._changed:
            self._held.append(waiting)

    def close(self) -> list[Lease]:
        """Hand out nothing any more; answer the leases that are here, each once. May be called again for late ones."""
        with self._changed:
            self._closed = True
            lines = (self._suspects, self._large, self._fresh, self._held)
            leases = [waiting.lease for line in lines for waiting in line]
            for line in lines:
                line.clear()
        return leases

    def _take_now(self) -> list[ObjectRef | Finished | Failure]:
        outcomes: list[ObjectRef | Finished | Failure] = []
        while len(outcomes) < MAX_TAKEN and (waiting := self._next()) is not None:
            outcomes += waiting.outcomes
        return outcomes

    def _next(self) -> Waiting | None:
        if self._closed:
            return None
        pausing = self._guard.pausing
        line = next((line for line in self._lines(pausing) if line and self._book.fits(line[0].lease)), None)
        if line is None:
            return None
        probes = pausing and line[0].asks_outside
        if probes and not self._guard.may_probe():
            return None
        waiting = line.popleft()
        self._book.start(waiting.lease)
        if waiting.lease.alone:
            _tell(waiting)
        if probes:
            self._on_probe[waiting.lease.message_id] = waiting
        return waiting

    def _lines(self, pausing: bool) -> tuple[deque[Waiting], ...]:  # noqa: FBT001 - it is what the guard says
        """Where to look for the next one, in this order."""
        if self._suspects:
            return (self._suspects,)
        return (self._large, self._fresh, self._held) if pausing else (self._held, self._large, self._fresh)


def _turn(waiting: Waiting) -> int:
    """Place one that is to be alone among its like: at random, and the other way round at the next receive.

    A crash costs a receive those that still wait behind it. Who stood behind a killer stands before it then.
    """
    delivery = waiting.lease.delivery
    place = zlib.crc32(f"{delivery.message_id} {(delivery.receive_count + 1) // 2}".encode())
    return place if delivery.receive_count % 2 else 0xFFFFFFFF - place


def _tell(waiting: Waiting) -> None:
    """Say which message is alone: if this process dies, the last lines of its log say of what."""
    urls = ", ".join(outcome.url for outcome in waiting.outcomes if isinstance(outcome, ObjectRef))
    log.warning(
        "received %d times and never settled, tried alone: %s",
        waiting.lease.delivery.receive_count,
        urls,
        extra={"fields": waiting.lease.correlation()},
    )
