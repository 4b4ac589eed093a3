"""The queue as this project sees it: a few calls, in batches of at most ten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

SQS_MAX_BATCH = 10
"""Messages in one SQS request, AWS's limit."""
SQS_MAX_VISIBILITY_S = 12 * 3600
"""How long a message may stay invisible in all, AWS's limit."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as received."""

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """What SQS needs to know to delete a message or to change its visibility."""

    message_id: str
    receipt_handle: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry of a batch that SQS did not carry out (`Failed[]`)."""

    message_id: str
    code: str
    expired: bool
    """The handle is no longer good: the message is visible again, received by another, or deleted."""


class Queue(Protocol):
    """What the job asks of a queue. Safe to call from several threads.

    Every call raises `QueueError` when the whole request failed; `permanent` if asking again cannot help.
    """

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        """Long-poll for 1 to `max_messages` messages (at most 10), at most `wait_s` seconds (0 to 20)."""

    def delete(self, receipts: Sequence[Receipt]) -> list[Refusal]:
        """Delete up to ten messages; answer those that were refused."""

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        """Set when each of up to ten messages becomes visible again, in seconds from now; answer the refused."""

    def send(self, body: str) -> str:
        """Add a message; answer its id. The job never does, only who puts back what was set aside."""

    def attributes(self) -> dict[str, str]:
        """Answer the queue's attributes, as `GetQueueAttributes` names them."""

    def has_more(self) -> bool:
        """Whether it is known that a message is there or will come, though a receive was empty. Of SQS nobody knows."""
