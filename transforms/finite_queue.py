"""A queue with an end, of messages that nobody has to be asked for: recorded ones, or made of a listing.

With it the job's steps do what they do with SQS, word for word: what is returned comes again after its delay, with one
receive more, and what is neither deleted nor extended comes again after its visibility timeout.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from transforms.failures import QueueError
from transforms.queues import Refusal
from transforms.stopping import STOP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transforms.queues import Message, Receipt

MAX_OPEN = 10_000
"""Messages received and not deleted. Those that wait for their next try hold up what is new, or a function that always
fails would fill memory with them."""
LOOK_S = 0.05
"""How soon a receive that waits sees that something came, is due, or that there is nothing to wait for any more."""


class FiniteQueue:
    """Implements `queues.Queue` over an iterator of messages. Safe to call from several threads.

    Memory: the messages that were received and not deleted, at most `MAX_OPEN`.
    """

    def __init__(
        self,
        messages: Iterator[Message | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        stop: threading.Event = STOP,
    ) -> None:
        """`messages` have distinct ids and a receive count of 0. None says that there is none just now, after a wait.

        A `QueueError` that it raises is a receive that failed; the next receive asks it again.
        """
        self._messages = messages
        self._clock = clock
        self._stop = stop
        self._taking = threading.Lock()
        self._is_exhausted = False
        self._changed = threading.Condition()
        self._open: dict[str, Message] = {}
        self._visible_at: dict[str, float] = {}

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        """Answer what is visible again, then what is new; nothing after `wait_s`, or soon when all is deleted."""
        ends_at = self._clock() + wait_s
        while True:
            # Not both at once: if nothing new can be had now, what is visible again would be lost to its timeout.
            received = self._take_again(max_messages, visibility_timeout_s)
            received = received or self._take_new(max_messages, visibility_timeout_s)
            if received or self._stop.is_set() or self._clock() >= ends_at:
                return received
            with self._changed:
                is_over = self._is_exhausted and not self._open
                self._changed.wait(LOOK_S)  # also when it is over: who asks again and again must not spin
            if is_over:
                return []

    def delete(self, receipts: Sequence[Receipt]) -> list[Refusal]:
        """Forget messages; one that is gone already is no error."""
        with self._changed:
            for receipt in receipts:
                self._open.pop(receipt.message_id, None)
                self._visible_at.pop(receipt.message_id, None)
            self._changed.notify_all()
        return []

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        """Offer messages again after so many seconds; refuse those that are gone, or were received again."""
        with self._changed:
            return [
                Refusal(receipt.message_id, "MessageNotInflight", expired=True)
                for receipt, timeout_s in zip(receipts, timeouts_s, strict=True)
                if not self._hide(receipt, timeout_s)
            ]

    def send(self, body: str) -> str:
        """Refuse: nothing can be added."""
        raise QueueError(f"there is no queue to send {len(body):,} characters to", permanent=True)

    def attributes(self) -> dict[str, str]:
        """Answer that there are none."""
        return {}

    def has_more(self) -> bool:
        """Whether anything is not deleted yet; until the iterator has ended there may be."""
        with self._changed:
            return not self._is_exhausted or bool(self._open)

    def _hide(self, receipt: Receipt, timeout_s: int) -> bool:
        message = self._open.get(receipt.message_id)
        if message is None or message.receipt_handle != receipt.receipt_handle:
            return False
        self._visible_at[receipt.message_id] = self._clock() + timeout_s
        return True

    def _take_again(self, most: int, visibility_timeout_s: int) -> list[Message]:
        now = self._clock()
        with self._changed:
            visible = [message_id for message_id, at in self._visible_at.items() if at <= now][:most]
            return [self._receive(self._open[message_id], now + visibility_timeout_s) for message_id in visible]

    def _take_new(self, most: int, visibility_timeout_s: int) -> list[Message]:
        """Ask the iterator, unless another thread does: that may take long, and something may become visible again."""
        new: list[Message] = []
        most = min(most, MAX_OPEN - len(self._open))
        if self._is_exhausted or not self._taking.acquire(blocking=False):
            return new
        try:
            while len(new) < most and (message := self._next()) is not None:
                new.append(message)
        except QueueError:  # what came before it is not lost; the next receive asks again
            if not new:
                raise
        finally:
            self._taking.release()
        now = self._clock()
        with self._changed:
            return [self._receive(message, now + visibility_timeout_s) for message in new]

    def _next(self) -> Message | None:
        try:
            return next(self._messages)
        except StopIteration:
            self._is_exhausted = True
            return None

    def _receive(self, message: Message, visible_at: float) -> Message:
        count = message.receive_count + 1
        received = replace(message, receive_count=count, receipt_handle=f"{message.message_id}/{count}")
        self._open[message.message_id] = received
        self._visible_at[message.message_id] = visible_at
        return received
