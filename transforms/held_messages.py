"""Messages that are looked at and not taken: hidden from others meanwhile, visible again at once when that ends.

The job itself has a LeaseBook for this, which settles each message by itself. Here all are held to the end, or a
receive would bring the same ones again, and all go back together.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from transforms.backoff import Backoff
from transforms.failures import QueueError
from transforms.queues import SQS_MAX_BATCH, Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transforms.queues import Message, Queue

log = logging.getLogger(__name__)

POLL_S = 2
"""A long poll, which asks all of SQS; short, since a stop waits for its end."""
QUIET_POLLS = 5
"""In a row without anything new."""
POLL_ATTEMPTS = 5
"""Of one poll; the waits between them add up to a quarter of a minute at most."""
GIVE_BACK_ATTEMPTS = 5
PAUSE_S = 0.5
"""Between attempts; who asked to stop waits for it."""
EXTENSIONS = 3
"""In a visibility timeout, so that one that fails has another chance."""


class HeldMessages:
    """What one receiver holds, by message id. Safe to call from several threads."""

    def __init__(
        self,
        queue: Queue,
        *,
        visibility_timeout_s: int,
        stop: threading.Event,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Each extension hides for `visibility_timeout_s` seconds more; that is also what a crash costs."""
        self._queue = queue
        self._stop = stop
        self._visibility_timeout_s = visibility_timeout_s
        self._pause = pause
        self._lock = threading.RLock()  # over calls of SQS, too: an extension must not overtake the return
        self._polling = threading.Lock()
        self._receipts: dict[str, Receipt] = {}
        self._is_over = False
        self.not_given_back = 0
        """Messages of which SQS did not say that they are visible; they are when their visibility timeout ends."""

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Extend what is held by a thread, and give all back at the end, or at the stop if that is before.

        The end may be far from a stop: whoever is in here can hang in a request for half a minute.
        """
        threading.Thread(target=self._keep, name="held-messages", daemon=True).start()
        try:
            yield
        finally:
            self.give_back()

    def receive(self, max_messages: int) -> Iterator[Message]:
        """Yield up to `max_messages`, each once and held, until the queue is quiet or it is to stop.

        Raises `QueueError` where asking again does not help.
        """
        seen: set[str] = set()
        quiet = 0
        while len(seen) < max_messages and quiet < QUIET_POLLS and not self._stop.is_set():
            received = self._poll(min(SQS_MAX_BATCH, max_messages - len(seen)))
            self.add(received)
            new = {message.message_id: message for message in received if message.message_id not in seen}
            seen |= new.keys()
            quiet = 0 if new else quiet + 1  # a message that is not held any more comes again and again
            yield from new.values()
        if quiet == QUIET_POLLS:
            log.info("the queue is quiet: nothing new came for %d s", QUIET_POLLS * POLL_S)

    def add(self, messages: Sequence[Message]) -> None:
        """Hold what was received; a newer receipt replaces an older one. After the end it goes straight back."""
        with self._lock:
            self._receipts |= {each.message_id: Receipt(each.message_id, each.receipt_handle) for each in messages}
            if self._is_over:
                self.give_back()

    def extend(self) -> None:
        """Hide all for a visibility timeout from now; forget what SQS says is no longer ours."""
        for batch in self._batches():
            with self._lock:
                if not self._is_over:
                    self._extend(batch)

    def give_back(self) -> None:
        """Make all visible now, whatever was held, and whatever is added from now on. Never raises `QueueError`."""
        with self._lock:
            self._is_over = True
            for attempt in range(GIVE_BACK_ATTEMPTS):
                if attempt:
                    self._pause(PAUSE_S)
                self._try_to_give_back()
                if not self._receipts:
                    return
            self.not_given_back += len(self._receipts)
            self._receipts.clear()

    def _keep(self) -> None:
        while not self._stop.wait(self._visibility_timeout_s / EXTENSIONS):
            if self._is_over:
                return
            self.extend()
        with self._polling:  # the poll under way; there is none after it
            pass
        self.give_back()

    def _poll(self, most: int) -> list[Message]:
        """Ask once, and again after a failure. A stop waits for the answer: what goes back must not come in by it."""
        backoff = Backoff(base_s=1, max_s=30)
        failed = 0
        while True:
            try:
                with self._polling:
                    if self._stop.is_set():
                        return []
                    return self._queue.receive(
                        max_messages=most, wait_s=POLL_S, visibility_timeout_s=self._visibility_timeout_s
                    )
            except QueueError as error:
                failed += 1
                if error.permanent or failed == POLL_ATTEMPTS:
                    raise
                log.warning("a receive failed, it is tried again: %s", error.detail)
            self._stop.wait(backoff.next_delay())

    def _extend(self, batch: list[Receipt]) -> None:
        try:
            refused = self._queue.change_visibility(batch, [self._visibility_timeout_s] * len(batch))
        except QueueError as error:
            log.warning("%d messages could not be held for longer yet: %s", len(batch), error.detail)
            return
        for refusal in refused:
            if refusal.expired:
                self._receipts.pop(refusal.message_id, None)
                log.warning("message %s is visible again: it was not held in time", refusal.message_id)

    def _try_to_give_back(self) -> None:
        for batch in self._batches():
            try:
                refused = self._queue.change_visibility(batch, [0] * len(batch))
            except QueueError as error:  # the other batches would fare no better now
                log.warning("%d messages could not be given back yet: %s", len(self._receipts), error.detail)
                return
            still_held = {refusal.message_id for refusal in refused if not refusal.expired}
            for receipt in batch:
                if receipt.message_id not in still_held:
                    del self._receipts[receipt.message_id]

    def _batches(self) -> list[list[Receipt]]:
        with self._lock:
            receipts = list(self._receipts.values())
        return [receipts[first : first + SQS_MAX_BATCH] for first in range(0, len(receipts), SQS_MAX_BATCH)]
