"""What happened, counted always and told readably: each object while they are few, a line a second when they are many.

One `EventLog` serves the process, as logging itself does. A busy queue must not drown its operator, and somebody with
ten objects wants to see each: so the first `LINES_A_SECOND` events of a kind in a second are told one by one at INFO,
the others only at DEBUG, and their number in one INFO line. Counters and their balance are exact.

Every object passes here several times: one lock, a few additions, and nothing that only a scrape needs
(`metric_table.py` knows what the counters are called outside). Over 150 lines because every key event is a method here,
with its counters, its line and its durations: whoever adds one sees how the others are told.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from transforms.event_tallies import FAILURES_KEPT, recent_failure
from transforms.histograms import Histogram
from transforms.metric_table import BY_SOURCE
from transforms.recent_maximum import RecentMaximum
from transforms.records import Door

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from transforms.event_tallies import RecentFailure, Tally
    from transforms.records import Delivery, Failure, Finished, ObjectRef

log = logging.getLogger("sqs_pipeline")

LINES_A_SECOND = 5


class EventLog:
    """Counters and log lines of the key events. Safe to call from any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, now: Callable[[], float] = time.time) -> None:
        """`clock` counts seconds, `now` those since 1970."""
        self._clock, self._now = clock, now
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._window_ends_at = 0.0
        self._reported: Counter[str] = Counter()
        self._failures: deque[RecentFailure] = deque(maxlen=FAILURES_KEPT)
        self._longest_wait = RecentMaximum(clock)
        self._histograms = {
            source: Histogram(metric.bounds) for source, metric in BY_SOURCE.items() if metric.type == "histogram"
        }

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter that has no line of its own."""
        with self._lock:
            self._counts[name] += amount

    def counts(self) -> Mapping[str, int]:
        """A copy of all counters."""
        with self._lock:
            return Counter(self._counts)

    def tally(self) -> Tally:
        """A copy of everything, at one moment."""
        with self._lock:
            return {
                "counts": dict(self._counts),
                "histograms": {name: histogram.observed() for name, histogram in self._histograms.items()},
                "failures": list(self._failures),
                "longest_wait_s": self._longest_wait.get(),
            }

    def news(self) -> Mapping[str, int]:
        """What was counted since the last call; each count is handed out once, whoever asks."""
        with self._lock:
            news = self._counts - self._reported
            self._reported = self._counts.copy()
        return news

    def arrived(self, messages: int, longest_wait_s: float | None = None) -> None:
        """Tell that messages came; `received` counts them. The wait is that of a first receive, in the queue."""
        if longest_wait_s is not None:
            with self._lock:
                self._longest_wait.add(longest_wait_s)
        line = f"received {messages} message{'s' if messages != 1 else ''}"
        self._tell("received", messages, lambda: line, counts=False)

    def received(self, messages: int = 1) -> None:
        """Messages are held from now on."""
        self.count("received", messages)

    def answered(self, seconds: float) -> None:
        """SQS answered a request for messages after `seconds`."""
        with self._lock:
            self._histograms["receive"].observe(seconds)

    def fetched(self, ref: ObjectRef, size: int, seconds: float) -> None:
        """An object's content is here."""
        self._tell(
            "fetched",
            1,
            lambda: f"fetched {ref.url} ({size:,} bytes)",
            lambda: correlation(ref.delivery, ref) | {"bytes": size, "seconds": round(seconds, 3)},
            also=("fetched_bytes", size),
            observed=(("fetch", seconds),),
        )

    def processed(self, ref: ObjectRef, seconds: float, inflated_bytes: int) -> None:
        """The user's function returned."""
        self._tell(
            "processed",
            1,
            lambda: f"processed {ref.url} in {seconds:.3f} s",
            lambda: correlation(ref.delivery, ref) | {"bytes": inflated_bytes, "seconds": round(seconds, 3)},
            also=("inflated_bytes", inflated_bytes),
            observed=(("process", seconds),),
        )

    def stored(self, ref: ObjectRef, name: str, seconds: float) -> None:
        """A result is in place."""
        lag_s = self._now() - (ref.event_time or ref.delivery.sent_at).timestamp()
        self._tell(
            "stored_records",
            1,
            lambda: f"stored {ref.url} as {name}",
            lambda: correlation(ref.delivery, ref) | {"name": name, "seconds": round(seconds, 3)},
            observed=(("write", seconds), ("lag", max(0.0, lag_s))),  # clocks differ
        )

    def set_aside(self, failure: Failure, name: str) -> None:
        """A dead letter is in place."""
        self._keep(failure, name)
        self._tell(
            "set_aside_records",
            1,
            lambda: f"set aside {_subject(failure)}: {failure.kind}: {failure.detail} (dead letter {name})",
            lambda: correlation(failure.delivery, failure.ref) | {"kind": failure.kind, "name": name},
            level=logging.WARNING,
        )

    def failed(self, failure: Failure) -> None:
        """A record goes back to the queue."""
        self._keep(failure, None)
        self._tell(
            "failed_records",
            1,
            lambda: f"failed {_subject(failure)}: {failure.kind}: {failure.detail}",
            lambda: correlation(failure.delivery, failure.ref) | {"kind": failure.kind},
            level=logging.WARNING,
        )

    def ignored(self, finished: Finished) -> None:
        """There is nothing to do for a record."""
        self._tell(
            "ignored_records",
            1,
            lambda: f"ignored {_subject(finished)}: {finished.kind}",
            lambda: correlation(finished.delivery, finished.ref) | {"kind": finished.kind},
        )

    def given_back(self, delivery: Delivery, delay_s: int, reason: str, ref: ObjectRef | None = None) -> None:
        """SQS was told when to deliver a message again; `ref` is the first object that it speaks of."""
        self._tell(
            "given_back",
            1,
            lambda: f"returned message {delivery.message_id} for {delay_s} s ({reason})",
            lambda: correlation(delivery, ref) | {"delay_s": delay_s},
        )

    def settled(self, door: Door, kind: str, seconds: float | None = None) -> None:
        """A delivery left by a door, and SQS knows, for which it took `seconds` if it was told."""
        with self._lock:
            self._counts[door] += 1
            if door is not Door.STORED:
                self._counts[f"{door}/{kind}"] += 1
            if seconds is not None:
                self._histograms["acknowledge"].observe(seconds)

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
            for counter in (self._counts, self._told, self._untold, self._reported):
                counter.clear()
            self._failures.clear()
            for histogram in self._histograms.values():
                histogram.reset()
            self._longest_wait.reset()

    def _tell(
        self,
        name: str,
        amount: int,
        line: Callable[[], str],
        fields: Callable[[], dict[str, Any]] = dict,
        *,
        level: int = logging.INFO,
        counts: bool = True,
        also: tuple[str, int] | None = None,
        observed: tuple[tuple[str, float], ...] = (),
    ) -> None:
        with self._lock:
            if counts:
                self._counts[name] += amount
            if also is not None:
                self._counts[also[0]] += also[1]
            for histogram, value in observed:
                self._histograms[histogram].observe(value)
            untold = self._next_window() if self._clock() >= self._window_ends_at else None
            self._told[name] += 1
            few = self._told[name] <= LINES_A_SECOND
            if not few:
                self._untold[name] += amount
        if untold:
            _tell_untold(untold)
        if few or log.isEnabledFor(logging.DEBUG):
            log.log(
                level if few else logging.DEBUG,
                "%s",
                line(),
                extra={"fields": {"event": _NAMES.get(name, name)} | fields()},
            )

    def _keep(self, failure: Failure, dead_letter: str | None) -> None:
        kept = recent_failure(failure, at=self._now(), dead_letter=dead_letter)
        with self._lock:
            self._failures.append(kept)

    def _next_window(self) -> Counter[str]:
        untold, self._untold = self._untold, Counter()
        self._told.clear()
        self._window_ends_at = self._clock() + 1
        return untold


DOORS = (Door.STORED, Door.IGNORED, Door.SET_ASIDE, Door.RETURNED)
"""In the order of the summary."""

_NAMES = {
    "stored_records": "stored",
    "set_aside_records": "set_aside",
    "failed_records": "failed",
    "ignored_records": "ignored",
    "given_back": "returned",
}
"""Events as lines name them, where counters are called otherwise."""

EVENTS = EventLog()
"""This process's events."""


def _tell_untold(untold: Counter[str]) -> None:
    if untold:
        log.info("… and %s", ", ".join(f"{amount:,} more {name.replace('_', ' ')}" for name, amount in untold.items()))


def _subject(record: Failure | Finished) -> str:
    return record.ref.url if record.ref else f"message {record.delivery.message_id}"


def correlation(delivery: Delivery, ref: ObjectRef | None) -> dict[str, Any]:
    """Answer the fields that every line about one message has, to follow it by."""
    fields: dict[str, Any] = {"message_id": delivery.message_id, "attempt": delivery.receive_count}
    if ref is not None:
        fields |= {"bucket": ref.bucket, "key": ref.key}
    return fields
