"""The process's side of the queue: what it holds, what it hands to the flow, what it tells SQS.

    pollers ──admit──▶ buffer ──take──▶ the flow ──settle──▶ acknowledger ──▶ SQS
                          ▲                             │
                          └── held while an outage lasts┘

There is one consumer a process, shared by the first step (`take`) and the last (`settle`).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from transforms.acknowledgements import Acknowledger
from transforms.backoff import return_delay_s
from transforms.batches import Batcher
from transforms.buffers import Buffer, Waiting
from transforms.events import EVENTS
from transforms.failures import OUTSIDE_KINDS, FinishedKind, ReceivedTooOftenError
from transforms.heartbeats import Heartbeat
from transforms.leases import LeaseBook
from transforms.notifications import AdmissionRules, parse_message
from transforms.outages import OutageGuard
from transforms.pollers import Pollers
from transforms.queues import SQS_MAX_BATCH
from transforms.records import Door, Failure, ObjectRef
from transforms.stopping import JOB_IS_ELSEWHERE, STOP
from transforms.wall_clock import wall_clock

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from transforms.leases import Lease
    from transforms.pollers import QueueTrouble
    from transforms.queues import Message, Queue
    from transforms.records import Delivery, Finished
    from transforms.settings import LeaseSettings, ReceiveSettings

log = logging.getLogger(__name__)

GAVE_UP = "gave_up"
"""Counts that the job ended because an outage did not."""
STALE_S = 15.0
"""Without a `take` for so long, nothing more is received: nobody is there to process it."""
OUTAGE_PATIENCE_S = 600.0
"""How long a job that is to end by itself waits for an outage: objects that are forbidden for ever look like one."""
IDLE_WAIT_S = 0.25
"""How long a `take` waits when nothing is open: a stop is seen at once, and it costs nothing."""


class Consumer:
    """Receives, admits, hands out, settles. Safe to call from any thread.

    Over 150 lines because it is the one place where the nouns of the queue's side meet; each decision is theirs.
    """

    def __init__(
        self,
        queue: Queue,
        receive: ReceiveSettings,
        leases: LeaseSettings,
        *,
        stop: threading.Event = STOP,
        elsewhere: threading.Event = JOB_IS_ELSEWHERE,
        clock: Callable[[], float] = time.monotonic,
        batcher: type[Batcher[Any]] = Batcher,
    ) -> None:
        """Nothing is received until `start`; `clock` counts seconds, `batcher` sends acknowledgements."""
        self._queue = queue
        self._settings = receive
        self._stop = stop
        self._elsewhere = elsewhere
        self._clock = clock
        self._wall_clock = wall_clock(receive.received_at)
        self._rules = AdmissionRules.of(receive)
        self.book = LeaseBook(leases, clock=clock)
        self.guard = OutageGuard(clock=clock)
        self._buffer = Buffer(self.book, self.guard)
        self._heartbeat = Heartbeat(queue, self.book)
        self.acknowledger = Acknowledger(queue, self.book, self._heartbeat, batcher=batcher)
        self._pollers = Pollers(
            queue, self, wait_time_s=receive.wait_time_s, visibility_timeout_s=leases.visibility_timeout_s, stop=stop
        )
        self._lock = threading.Lock()
        self._started = False
        self._quota = receive.max_messages
        self.taken_at = self._quiet_since = self._empty_since = clock()
        """When the flow last asked for work, by the clock of the leases."""
        self.taker: int | None = None
        """The thread that did: Beam's own."""
        self.answered_at: float | None = None
        """When SQS last answered a receive."""
        self._hidden_until = 0.0
        self._failing_since: float | None = None
        self._stopped_at: float | None = None
        self._has_given_up = False
        self._random = random.Random()  # noqa: S311 - jitter, not secrets

    # ── the first step's side

    def start(self) -> None:
        """Begin to poll and to extend; a second call does nothing."""
        with self._lock:
            if self._started:
                return
            self._started = True
            self.taken_at = self._quiet_since = self._empty_since = self._clock()
            self._heartbeat.start()
            self._pollers.start()  # within the lock: nobody may find them not started, and think they have ended

    def take(self, timeout_s: float) -> list[ObjectRef | Finished | Failure]:
        """Hand out what may be started now, about a hundred records; wait up to `timeout_s` for it, longer if idle."""
        self.taken_at, self.taker = self._clock(), threading.get_ident()
        if self._stop.is_set() or self._gives_up():
            self._give_back_unstarted()
        return self._buffer.take(timeout_s if self.busy else max(timeout_s, IDLE_WAIT_S))

    @property
    def busy(self) -> bool:
        """Whether anything is open, or settled and not yet told downstream."""
        return self.book.open_count > 0 or self.acknowledger.has_settled

    @property
    def trouble(self) -> QueueTrouble | None:
        """What SQS answers instead of messages, if it does."""
        return self._pollers.trouble

    def finished(self) -> bool:
        """Whether nothing is open and nothing more will come: the source may end."""
        if self._stop.is_set():
            if self._elsewhere.is_set():
                return False
            self._stopped_at = self._stopped_at or self._clock()
            if self._clock() - self._stopped_at > self.book.settings.drain_timeout_s:
                return True
        return self._pollers.ended and not self.busy

    @property
    def receives_nothing_more(self) -> bool:
        """Whether no receive is under way and none will be: SQS hides no message that nobody got."""
        return self._pollers.ended

    @property
    def has_given_up(self) -> bool:
        """Whether it gave back what was left, because an outage did not end."""
        return self._has_given_up

    def close(self) -> None:
        """Give back what was not started, end the threads, and account for what is in hand: it comes back by itself."""
        self._pollers.close()
        self._give_back_unstarted()
        self.acknowledger.close()
        self._heartbeat.close()
        for lease in self.book.open_leases():
            delay_s = self.book.settings.visibility_timeout_s
            EVENTS.given_back(lease.delivery, delay_s, "still in hand at the end", lease.ref)
            self.book.close(lease)
        EVENTS.flush()

    # ── the pollers' side

    def now(self) -> float:
        """Seconds, by the clock of the leases."""
        return self._clock()

    def await_room(self, timeout_s: float) -> bool:
        """Wait until a full receive has room; answer whether it has."""
        return self.book.await_room(SQS_MAX_BATCH, timeout_s)

    def reserve(self) -> int:
        """Room for 0 to 10 messages; while an outage lasts for one, if there is no other to probe with."""
        if self._has_drained():
            self._pollers.close()
        if self._pollers.closed or self._clock() - self.taken_at > STALE_S:
            return 0
        wanted = (0 if self._buffer.has_fresh else 1) if self.guard.pausing else SQS_MAX_BATCH
        with self._lock:
            if self._quota is None:
                return self.book.reserve(wanted)
            granted = self.book.reserve(min(wanted, self._quota))
            self._quota -= granted
            return granted

    def receive_failed(self, reserved: int) -> None:
        """SQS did not answer: that is not a quiet queue, and it may have hidden messages that never came."""
        EVENTS.count("receives_failed")
        if self._failing_since is None:
            self._failing_since = self._clock()
        self._hidden_until = self._clock() + self.book.settings.visibility_timeout_s
        self._unreserve(reserved, unused=reserved)

    def admit(self, messages: list[Message], *, reserved: int, asked_at: float) -> None:
        """Enter what came and put it in the buffer; what came after a stop goes straight back."""
        received_at, self.answered_at, self._failing_since = self._wall_clock(), self._clock(), None
        EVENTS.answered(self.answered_at - asked_at)
        if messages:
            EVENTS.arrived(len(messages), _longest_wait_s(messages, received_at))
            self._quiet_since = self.answered_at
        else:
            self._empty_since = max(self._empty_since, asked_at)  # what came back later may have been missed
        opened = [self._open(message, received_at, asked_at) for message in messages]
        self._buffer.add(*(waiting for waiting in opened if waiting))  # together: their order is the buffer's
        self._unreserve(reserved, unused=reserved - len(messages))
        if self._stop.is_set():
            self._give_back_unstarted()

    # ── the last step's side

    def settle(self, delivery: Delivery, index: int, door: Door, *, kind: str, bucket: str | None) -> None:
        """Count one record out; its delivery's last one sends the acknowledgement, or the message back."""
        lease = self.book.settle(delivery, index, door, kind=kind, bucket=bucket)
        if lease is None:
            return
        probe = self._buffer.end_probe(lease)
        if lease.door is not Door.RETURNED:
            if probe is not None and OUTSIDE_KINDS.isdisjoint(lease.kinds):
                self.guard.probe_again()
            self.acknowledger.acknowledge(lease)
        elif probe is not None and self._may_hold(lease):
            self._buffer.hold(probe)
        else:
            settings = self.book.settings
            delay_s = return_delay_s(
                delivery.receive_count, base_s=settings.retry_base_s, max_s=settings.retry_max_s, rng=self._random
            )
            self.acknowledger.give_back(lease, delay_s=delay_s, reason=", ".join(lease.kinds))
        if lease.alone or self._is_last():  # nothing comes that would fill the batch
            self.acknowledger.flush()

    # ── private

    def _open(self, message: Message, received_at: datetime, asked_at: float) -> Waiting | None:
        """Read a message and enter its lease; None for a copy of one that is held."""
        outcomes = parse_message(
            message, queue_url=self._settings.queue_url, received_at=received_at, rules=self._rules
        )
        delivery = outcomes[0].delivery
        if message.receive_count > 2 * self._settings.give_up_after:
            delivery = replace(delivery, records=1)
            outcomes = [Failure.of(delivery, _received_too_often(message, self._settings.give_up_after))]
        refs = [outcome for outcome in outcomes if isinstance(outcome, ObjectRef)]
        size = sum(ref.size or 0 for ref in refs)
        # A failure would have set it aside by now: those that held it died.
        alone = bool(refs) and message.receive_count > self._settings.give_up_after
        lease = self.book.open(delivery, size=size, asked_at=asked_at, alone=alone, ref=refs[0] if refs else None)
        if lease is not None:
            return Waiting(lease, outcomes)
        EVENTS.count(FinishedKind.DUPLICATE_RECEIPT)
        return None

    def _is_last(self) -> bool:
        return self._pollers.ended and not self.book.has_work

    def _unreserve(self, reserved: int, *, unused: int) -> None:
        with self._lock:
            if self._quota is not None:
                self._quota += unused
            self.book.release(reserved)

    def _has_drained(self) -> bool:
        """Whether no further poll makes sense: the quota is used up, or the queue was quiet for long enough."""
        with self._lock:
            used_up = self._quota == 0 and self.book.reserved_count == 0
        if used_up:
            return True
        # In this order: what a receive that is under way brings is open before its room is free again.
        if self._settings.idle_s is None or self.guard.pausing or self.book.reserved_count or self.busy:
            return False
        quiet_since = max(self._quiet_since, self._hidden_until, self.acknowledger.returned_until)
        was_empty = self._clock() - quiet_since >= self._settings.idle_s and self._empty_since > quiet_since
        return was_empty and not self._queue.has_more()

    def _gives_up(self) -> bool:
        """Whether a job that is to end by itself has waited long enough for an outage to end."""
        is_to_end = self._settings.idle_s is not None or self._settings.max_messages is not None
        failing_since = self._failing_since
        lasted_s = max(self.guard.paused_s, 0.0 if failing_since is None else self._clock() - failing_since)
        if is_to_end and not self._has_given_up and lasted_s > OUTAGE_PATIENCE_S:
            self._has_given_up = True
            EVENTS.count(GAVE_UP)
            log.error("the outage lasts for over %.0f s: giving back what is left", OUTAGE_PATIENCE_S)
            self._pollers.close()
        return self._has_given_up

    def _may_hold(self, lease: Lease) -> bool:
        """Whether to keep a failed probe for the next one: a receive is worth more than a place in the buffer."""
        young = self._clock() - lease.opened_at < self.book.settings.max_processing_s
        outside = not OUTSIDE_KINDS.isdisjoint(lease.kinds)
        ends = self._stop.is_set() or self._has_given_up
        return self.guard.pausing and young and outside and not lease.lost and not ends

    def _give_back_unstarted(self) -> None:
        for lease in self._buffer.close():
            self.book.leave(lease)
            self.acknowledger.give_back(lease, delay_s=0, reason="not started")
        self.acknowledger.flush()


def _longest_wait_s(messages: list[Message], received_at: datetime) -> float | None:
    """Answer how long the oldest of them was in the queue; what was received before also waited for its return."""
    sent_at = min((message.sent_at for message in messages if message.receive_count == 1), default=None)
    return max(0.0, (received_at - sent_at).total_seconds()) if sent_at else None  # clocks differ


def _received_too_often(message: Message, give_up_after: int) -> ReceivedTooOftenError:
    return ReceivedTooOftenError(
        f"received {message.receive_count} times and never settled; --give_up_after is {give_up_after}"
    )
