"""What was counted, in plain JSON: a process says it to its supervisor, and everything shown is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from transforms.histograms import Observed
    from transforms.records import Failure

FAILURES_KEPT = 20


class RecentFailure(TypedDict):
    """A record that failed."""

    at: float
    """Seconds since 1970."""
    kind: str
    detail: str
    object: str | None
    """Its URL; None where the message could not be read."""
    message_id: str
    attempt: int
    dead_letter: str | None
    """The name of its dead letter; None if it goes back to the queue."""


class Tally(TypedDict):
    """Everything counted, at one moment."""

    counts: dict[str, int]
    """By event; by door and kind as `set_aside/too_large`."""
    histograms: dict[str, Observed]
    failures: list[RecentFailure]
    """The last `FAILURES_KEPT`, the newest last."""
    longest_wait_s: float | None
    """In the queue, of what was received for the first time in the last minute or two; None if nothing was."""


def recent_failure(failure: Failure, *, at: float, dead_letter: str | None) -> RecentFailure:
    """Take of a failure what is small: its message may have a MiB."""
    return {
        "at": at,
        "kind": failure.kind.value,
        "detail": failure.detail,
        "object": failure.ref.url if failure.ref else None,
        "message_id": failure.delivery.message_id,
        "attempt": failure.delivery.receive_count,
        "dead_letter": dead_letter,
    }
