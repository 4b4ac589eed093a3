"""What happened, counted always and told readably: each object while they are few, a line a second when they are many.

One `EventLog` serves the process, as logging itself does. A busy queue must not drown its operator, and somebody with
ten objects wants to see each: so the first `LINES_A_SECOND` events of a kind in a second are told one by one at INFO,
the others only at DEBUG, and their number in one INFO line. Counters and their balance are exact.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from transforms.records import Door

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from transforms.records import Delivery, Failure, ObjectRef

log = logging.getLogger("sqs_pipeline")

LINES_A_SECOND = 5


class EventLog:
    """Counters and log lines of the key events. Safe to call from any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._window_ends_at = 0.0

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter that has no line of its own."""
        with self._lock:
            self._counts[name] += amount

    def counts(self) -> Mapping[str, int]:
        """A copy of all counters."""
        with self._lock:
            return Counter(self._counts)

    def received(self, messages: int) -> None:
        """Messages came from the queue."""
        self._tell("received", messages, lambda: f"received {messages} message{'s' if messages != 1 else ''}")

    def fetched(self, ref: ObjectRef, size: int) -> None:
        """An object's content is here."""
        self._tell(
            "fetched",
            1,
            lambda: f"fetched {ref.url} ({size:,} bytes)",
            lambda: _fields(ref.delivery, ref),
            also=("fetched_bytes", size),
        )

    def processed(self, ref: ObjectRef, seconds: float) -> None:
        """The user's function returned."""
        self._tell(
            "processed", 1, lambda: f"processed {ref.url} in {seconds:.3f} s", lambda: _fields(ref.delivery, ref)
        )

    def stored(self, ref: ObjectRef, name: str) -> None:
        """A result is in place."""
        self._tell("stored_records", 1, lambda: f"stored {ref.url} as {name}", lambda: _fields(ref.delivery, ref))

    def set_aside(self, failure: Failure, name: str) -> None:
        """A dead letter is in place."""
        self._tell(
            "set_aside_records",
            1,
            lambda: f"set aside {_subject(failure)}: {failure.kind}: {failure.detail} (dead letter {name})",
            lambda: _fields(failure.delivery, failure.ref) | {"kind": failure.kind},
            level=logging.WARNING,
        )

    def failed(self, failure: Failure) -> None:
        """A record goes back to the queue."""
        self._tell(
            "failed_records",
            1,
            lambda: f"failed {_subject(failure)}: {failure.kind}: {failure.detail}",
            lambda: _fields(failure.delivery, failure.ref) | {"kind": failure.kind},
            level=logging.WARNING,
        )

    def given_back(self, delivery: Delivery, delay_s: int, reason: str) -> None:
        """SQS was told when to deliver a message again."""
        self._tell(
            "given_back",
            1,
            lambda: f"returned message {delivery.message_id} for {delay_s} s ({reason})",
            lambda: _fields(delivery, None) | {"delay_s": delay_s},
        )

    def settled(self, door: Door) -> None:
        """A delivery left by a door, and SQS knows."""
        self.count(door)

    def flush(self) -> None:
        """Tell what the past second kept back; called now and then, and at the end."""
        with self._lock:
            untold = self._next_window()
        _tell_untold(untold)

    def summary(self) -> str:
        """The balance of deliveries, as a sentence."""
        counts = self.counts()
        doors = " + ".join(f"{counts[door]:,} {door.replace('_', ' ')}" for door in DOORS)
        balance = "=" if counts["received"] == sum(counts[door] for door in DOORS) else "≠"
        return f"{counts['received']:,} received {balance} {doors}"

    def reset(self) -> None:
        """Start from zero: for a new job in the same process."""
        with self._lock:
            for counter in (self._counts, self._told, self._untold):
                counter.clear()

    def _tell(
        self,
        name: str,
        amount: int,
        line: Callable[[], str],
        fields: Callable[[], dict[str, Any]] = dict,
        *,
        level: int = logging.INFO,
        also: tuple[str, int] | None = None,
    ) -> None:
        with self._lock:
            self._counts[name] += amount
            if also is not None:
                self._counts[also[0]] += also[1]
            untold = self._next_window() if self._clock() >= self._window_ends_at else None
            self._told[name] += 1
            few = self._told[name] <= LINES_A_SECOND
            if not few:
                self._untold[name] += amount
        if untold:
            _tell_untold(untold)
        if few or log.isEnabledFor(logging.DEBUG):
            log.log(level if few else logging.DEBUG, "%s", line(), extra={"fields": fields()})

    def _next_window(self) -> Counter[str]:
        untold, self._untold = self._untold, Counter()
        self._told.clear()
        self._window_ends_at = self._clock() + 1
        return untold


DOORS = (Door.STORED, Door.IGNORED, Door.SET_ASIDE, Door.RETURNED)
"""In the order of the summary."""

EVENTS = EventLog()
"""This process's events."""


def _tell_untold(untold: Counter[str]) -> None:
    if untold:
        log.info("… and %s", ", ".join(f"{amount:,} more {name.replace('_', ' ')}" for name, amount in untold.items()))


def _subject(failure: Failure) -> str:
    return failure.ref.url if failure.ref else f"message {failure.delivery.message_id}"


def _fields(delivery: Delivery, ref: ObjectRef | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"message_id": delivery.message_id, "attempt": delivery.receive_count}
    if ref is not None:
        fields |= {"bucket": ref.bucket, "key": ref.key}
    return fields
