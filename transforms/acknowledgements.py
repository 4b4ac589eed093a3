"""The last word on each message: delete it, or give it back with a delay; in batches, in the background."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from transforms.backoff import Backoff
from transforms.batches import Batcher
from transforms.events import EVENTS
from transforms.metric_table import NOT_STARTED
from transforms.pools import drained
from transforms.queues import SQS_MAX_BATCH
from transforms.records import Door, Settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transforms.heartbeats import Heartbeat
    from transforms.leases import Lease, LeaseBook
    from transforms.queues import Queue, Refusal

log = logging.getLogger(__name__)

MAX_AGE_S = 0.2
"""No acknowledgement waits longer for others to share its request."""
MAX_REFUSALS = 5
"""How often one entry is tried before its message is left to come back by itself: it must not hold up the others."""
CLOSE_WAIT_S = 2.0
"""How long the end of the job waits for the last requests; with an SQS that is down they may take a minute."""
SENDERS = 4
"""Requests at once: at 10 ms each and ten messages in each, enough for 4,000 messages a second."""


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A message to make visible again."""

    lease: Lease
    delay_s: int
    reason: str


class Acknowledger:
    """Deletes and returns leases that are leaving, and closes them in the book once SQS knows."""

    def __init__(
        self, queue: Queue, book: LeaseBook, heartbeat: Heartbeat, *, batcher: type[Batcher[Any]] = Batcher
    ) -> None:
        """Its threads, those of `batcher`, start at once."""
        self._queue = queue
        self._book = book
        self._heartbeat = heartbeat
        self._closed = threading.Event()
        self._settled: deque[Settled] = deque()
        self._deletes: Batcher[Lease] = batcher(
            self._delete, size=SQS_MAX_BATCH, threads=SENDERS, max_age_s=MAX_AGE_S, name="delete"
        )
        self._returns: Batcher[GiveBack] = batcher(
            self._return, size=SQS_MAX_BATCH, threads=1, max_age_s=MAX_AGE_S, name="return"
        )
        self.returned_until = 0.0
        """When the last message that was given back is visible again, by the book's clock."""

    @property
    def has_settled(self) -> bool:
        """Whether `settled` has something to say."""
        return bool(self._settled)

    def acknowledge(self, lease: Lease) -> None:
        """Delete the message of a lease that is leaving: everything about it is stored."""
        self._deletes.put(lease)

    def give_back(self, lease: Lease, *, delay_s: int, reason: str) -> None:
        """Make the message of a lease that is leaving visible again after `delay_s` seconds."""
        self._returns.put(GiveBack(lease, delay_s, reason))

    def settled(self) -> Iterator[Settled]:
        """Say what became of the deliveries that were closed since the last call."""
        return drained(self._settled)

    def flush(self) -> None:
        """Send at once: the job is ending."""
        self._deletes.flush()
        self._returns.flush()

    def close(self) -> None:
        """Send what there is, once, and let the threads end; wait a moment for that."""
        self._closed.set()
        self._returns.close(timeout_s=CLOSE_WAIT_S / 2)
        self._deletes.close(timeout_s=CLOSE_WAIT_S / 2)

    def _delete(self, leases: list[Lease]) -> None:
        def once(waiting: list[Lease]) -> list[Refusal]:
            return self._queue.delete([lease.receipt for lease in waiting])

        self._until_done(leases, once, self._deleted)

    def _return(self, batch: list[GiveBack]) -> None:
        self._heartbeat.await_extension()
        items = {item.lease.message_id: item for item in batch}

        def once(waiting: list[Lease]) -> list[Refusal]:
            delays_s = [items[lease.message_id].delay_s for lease in waiting]
            return self._queue.change_visibility([lease.receipt for lease in waiting], delays_s)

        def done(lease: Lease) -> None:
            item = items[lease.message_id]
            self._returned(item, item.delay_s)

        def came_back(lease: Lease) -> bool:
            # To insist would cost the message one more receive.
            if not (lease.superseded or self._is_over(lease)):
                return False
            self._returned(items[lease.message_id], 0)
            return True

        self._until_done([item.lease for item in batch], once, done, came_back)

    def _until_done(
        self,
        leases: list[Lease],
        once: Callable[[list[Lease]], list[Refusal]],
        done: Callable[[Lease], None],
        is_moot: Callable[[Lease], bool] = lambda _: False,
    ) -> None:
        """Repeat `once` until SQS took every lease, or the job ends; an expired handle is as good as done.

        What is moot by the time to ask again is done, too.
        """
        waiting = {lease.message_id: lease for lease in leases}
        # Within a lease's time: what SQS delivers again when it answers again is deleted before it comes a third time.
        backoff = Backoff(base_s=0.2, max_s=min(20, self._book.settings.visibility_timeout_s / 2))
        refusals: Counter[str] = Counter()
        while waiting:
            try:
                refused = {refusal.message_id: refusal for refusal in once(list(waiting.values()))}
            except Exception as error:  # noqa: BLE001 - a thread that died of the unforeseen would end the job's work in silence
                log.warning("SQS did not take %d acknowledgements, trying again: %s", len(waiting), error)
            else:
                refusals.update(refused.keys())
                for message_id in list(waiting):
                    refusal = refused.get(message_id)
                    if refusal is None or refusal.expired:
                        done(waiting.pop(message_id))
                    elif refusals[message_id] >= MAX_REFUSALS:
                        about = {"fields": waiting[message_id].correlation()}
                        log.warning(
                            "SQS refuses message %s (%s): it comes back by itself",
                            message_id,
                            refusal.code,
                            extra=about,
                        )
                        done(waiting.pop(message_id))
            if not waiting or self._closed.wait(backoff.next_delay()):
                return
            waiting = {message_id: lease for message_id, lease in waiting.items() if not is_moot(lease)}

    def _deleted(self, lease: Lease) -> None:
        if lease.lost or self._is_over(lease):
            EVENTS.count("possible_duplicates")
            log.warning(
                "message %s was deleted after its lease ended: somebody may have it too",
                lease.message_id,
                extra={"fields": lease.correlation()},
            )
        self._close(lease, lease.door, lease.kind)

    def _is_over(self, lease: Lease) -> bool:
        return lease.deadline < self._book.clock()

    def _returned(self, item: GiveBack, delay_s: int) -> None:
        self.returned_until = max(self.returned_until, self._book.clock() + delay_s)
        EVENTS.given_back(item.lease.delivery, delay_s, item.reason, item.lease.ref)
        self._close(item.lease, Door.RETURNED, item.lease.kind or NOT_STARTED)

    def _close(self, lease: Lease, door: Door, kind: str) -> None:
        if not (self._book.holds(lease) or lease.superseded):  # the job has ended, and accounted for it
            return
        delivery = lease.delivery
        self._settled.append(
            Settled(
                message_id=delivery.message_id,
                queue_url=delivery.queue_url,
                door=door,
                records=dict(lease.kinds),
                buckets=tuple(lease.buckets),
                receive_count=delivery.receive_count,
                sent_at=delivery.sent_at,
                received_at=delivery.received_at,
                settled_at=datetime.now(UTC),
            )
        )
        self._book.close(lease, door, kind)
