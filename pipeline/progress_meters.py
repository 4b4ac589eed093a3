"""What a job that ends by itself has done, and of how much: each mode knows another total, and a replay none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.backlog import Backlog
from pipeline.progress import Progress
from transforms.events import DOORS
from transforms.failures import FinishedKind
from transforms.records import Door

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from pipeline.backlog import QueueState
    from pipeline.options import Settings
    from pipeline.progress import Meter
    from transforms.process_wide import ProcessWide
    from transforms.queues import Queue

ASK_EVERY_S = 5.0
"""How often a drain asks how much is left."""


class Listed:
    """A backfill: of what was listed, `done` says what is done."""

    name = "backfill"

    def __init__(self, done: Callable[[Mapping[str, int]], int] | None = None) -> None:
        """Without a `done`, what has left by a door and does not come again."""
        self._done = done or settled

    def now(self, counts: Mapping[str, int]) -> Progress:
        """See `Meter`."""
        return Progress(self._done(counts), counts["listed"], bool(counts["listing_complete"]))

    def summary(self, counts: Mapping[str, int]) -> str:
        """See `Meter`."""
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


class Counted:
    """Messages, of a number that is known, or of nobody knows how many."""

    def __init__(self, name: str, total: int | None = None) -> None:
        """`total` is what `--max_messages` says."""
        self.name = name
        self._total = total

    def now(self, counts: Mapping[str, int]) -> Progress:
        """See `Meter`."""
        return Progress(settled(counts), self._total, self._total is not None, what="messages")

    def summary(self, counts: Mapping[str, int]) -> str:  # noqa: ARG002 - the job's own says it
        """See `Meter`."""
        return ""


class Drained(Counted):
    """A drain: of what is done and what the queue says that it holds, which is about right."""

    def __init__(self, state: Callable[[], QueueState | None]) -> None:
        """`state` is what the queue said last."""
        super().__init__("drain")
        self._state = state
        self._told_at = 0.0

    def now(self, counts: Mapping[str, int]) -> Progress:
        """See `Meter`; what the queue said is added to what was done when it did."""
        done, state = settled(counts), self._state()
        if state is not None and state["at"] != self._told_at:
            self._told_at = state["at"]
            self._total = done + state["visible"] + state["hidden"] + state["delayed"]
        if self._total is None:
            return super().now(counts)
        return Progress(done, max(done, self._total), is_complete=True, what="messages or so")


def meter_of(settings: Settings, queue: ProcessWide[Queue], ended: threading.Event, *, pipelines: int) -> Meter | None:
    """Answer the meter of a job; None for one that has no end. Of several processes each knows its own part only."""
    receive = settings.receive
    if receive.backfill is not None:
        return Listed()
    if not settings.is_bounded:
        return None
    if receive.max_messages is not None:
        return Counted("job", receive.max_messages)
    if receive.replay:
        return Counted("replay")
    return Drained(Backlog(queue.get(), ended, every_s=ASK_EVERY_S).state) if pipelines == 1 else Counted("drain")


def settled(counts: Mapping[str, int]) -> int:
    """Count the messages that have left for good."""
    return sum(counts[door] for door in DOORS if door is not Door.RETURNED)
