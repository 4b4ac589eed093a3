"""Every message this process holds: admitted, extended, counted down to its settlement, given back.

A lease is *open* from the receive to the moment SQS knows its fate. On its way it is

    buffered ──start──▶ in hand ──all records settled──▶ leaving ──close──▶ gone

Only buffered and in-hand leases are extended; a leaving one has a delete or a return under way. All methods are
safe to call from any thread and none waits.
"""

from __future__ import annotations

import enum
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict

from transforms.events import EVENTS, correlation
from transforms.failures import FinishedKind
from transforms.metric_table import UNFINISHED
from transforms.queues import Receipt
from transforms.records import Door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from transforms.event_tallies import Tally
    from transforms.records import Delivery, ObjectRef
    from transforms.settings import LeaseSettings

OLDEST_TOLD = 5


class Stage(enum.Enum):
    """Where a lease is on its way."""

    BUFFERED = enum.auto()
    IN_HAND = enum.auto()
    LEAVING = enum.auto()


@dataclass(slots=True, eq=False)
class Lease:
    """One open message. Only the book changes it, under its lock."""

    delivery: Delivery
    receipt_handle: str | None
    """The newest one; a duplicate receipt replaces it."""
    size: int
    """Notified bytes of all its records."""
    opened_at: float
    """When it was received, by the book's clock."""
    deadline: float
    """When SQS makes the message visible again unless it is extended, by the book's clock."""
    stage: Stage = Stage.BUFFERED
    unsettled: set[int] = field(default_factory=set)
    door: Door = Door.IGNORED
    kind: str = ""
    """Of the first record that left by this door."""
    kinds: Counter[str] = field(default_factory=Counter)
    buckets: list[str] = field(default_factory=list)
    lost: bool = False
    """SQS made it visible again while we held it."""
    superseded: bool = False
    """SQS delivered the message again before it took the return; the newer lease counts."""
    alone: bool = False
    """It may be what killed the workers that held it: nothing else is in hand or leaving meanwhile, to die with it."""
    ref: ObjectRef | None = None
    """The first object that the message speaks of, for whoever looks at what is in flight."""
    left_at: float | None = None
    """When it began to leave, by the book's clock."""

    @property
    def message_id(self) -> str:
        """The SQS message id."""
        return self.delivery.message_id

    def correlation(self) -> dict[str, Any]:
        """Answer the fields of a line about it."""
        return correlation(self.delivery, self.ref)

    @property
    def receipt(self) -> Receipt:
        """What SQS needs to know to delete the message or to change its visibility, with the newest handle."""
        return Receipt(self.message_id, self.receipt_handle or "")


class OpenMessage(TypedDict):
    """A message in flight, in plain JSON."""

    message_id: str
    object: str | None
    """The URL of the first object that it speaks of."""
    stage: str
    """`buffered`, `in_hand` or `leaving`."""
    age_s: float
    """Since it was received."""
    attempt: int


class InFlight(TypedDict):
    """What is held, in plain JSON."""

    messages: int
    bytes: int
    """Of all their objects, as notified."""
    stages: dict[str, int]
    """How many are at each stage, named as in `OpenMessage`."""
    oldest: list[OpenMessage]
    """The first `OLDEST_TOLD`."""


class LeaseBook:
    """Admission by count and by bytes, deadlines, and one settlement for each delivery.

    Over 150 lines because one lock guards all of it: whatever asks or changes what is held does it here.
    """

    def __init__(self, settings: LeaseSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds."""
        self.settings = settings
        self.clock = clock
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._awaited = 0
        self._leases: dict[str, Lease] = {}
        self._adopted: dict[str, Lease] = {}
        self._suspects: set[str] = set()
        self._alone: Lease | None = None
        self._reserved = 0
        self._bytes_in_hand = 0
        self._superseded: set[Lease] = set()
        self._bytes_open = 0

    @property
    def open_count(self) -> int:
        """Messages whose fate SQS does not know yet."""
        return len(self._leases)

    @property
    def has_work(self) -> bool:
        """Whether any message that is open is still to be settled."""
        with self._lock:
            return any(lease.stage is not Stage.LEAVING for lease in self._leases.values())

    @property
    def bytes_in_hand(self) -> int:
        """Notified bytes of what has been started and is not settled, without what has less than its share."""
        return self._bytes_in_hand

    @property
    def reserved_count(self) -> int:
        """Messages that were asked for and have not come."""
        return self._reserved

    def await_room(self, wanted: int, timeout_s: float) -> bool:
        """Wait until `wanted` messages have room, or all that may be open; answer whether they have."""
        with self._freed:
            self._awaited = min(wanted, self.settings.max_in_flight)  # all who wait want the same
            return self._freed.wait_for(self._has_awaited_room, timeout_s)

    def reserve(self, wanted: int) -> int:
        """Reserve room for up to `wanted` messages before asking SQS for them; answer how many may come.

        Nothing while one is open that is to be alone: it could not be started, and a crash would cost it a receive.
        """
        with self._lock:
            if self._suspects:
                return 0
            granted = max(0, min(wanted, self._room()))
            self._reserved += granted
            return granted

    def release(self, reserved: int) -> None:
        """Give back room that was reserved, after the messages that came have been opened."""
        with self._lock:
            self._reserved -= reserved
            self._tell_of_room()

    def open(
        self, delivery: Delivery, *, size: int, asked_at: float, alone: bool = False, ref: ObjectRef | None = None
    ) -> Lease | None:
        """Enter a message received by a request sent at `asked_at`; None if it is a copy of one already held.

        The lease counts from the request: SQS's own clock started later. A copy's handle replaces the older one, and
        with it a lost lease is held again. What is on its way back is not held: it begins anew. It is received
        in any case, and counted here: `account` finds each message either settled or open.
        """
        deadline = asked_at + self.settings.visibility_timeout_s
        with self._lock:
            EVENTS.received()
            held = self._leases.get(delivery.message_id)
            if held is not None and held.stage is Stage.LEAVING and held.door is Door.RETURNED:
                held.superseded = True  # its return was too late, and is none of the new receive's
                self._superseded.add(held)
                self._end_alone(held)
            elif held is not None:
                EVENTS.settled(Door.IGNORED, FinishedKind.DUPLICATE_RECEIPT)
                held.receipt_handle = delivery.receipt_handle
                held.deadline = deadline
                held.lost = False
                return None
            self._adopted.pop(delivery.message_id, None)
            lease = Lease(delivery, delivery.receipt_handle, size, asked_at, deadline, alone=alone, ref=ref)
            self._bytes_open += size
            if alone:
                self._suspects.add(delivery.message_id)
            lease.unsettled.update(range(delivery.records))
            self._leases[delivery.message_id] = lease
            return lease

    def is_large(self, lease: Lease) -> bool:
        """Whether a lease has more than its share of the bytes; the others fit all together, and never wait."""
        return lease.size * self.settings.max_in_flight > self.settings.max_in_flight_bytes

    def fits(self, lease: Lease) -> bool:
        """Whether a buffered lease may be started: its bytes fit, or it is larger than the whole budget and alone."""
        if self._alone:
            return False
        if lease.alone:
            with self._lock:  # a poll under way may bring one that is to have its turn before
                return not self._reserved and all(other.stage is Stage.BUFFERED for other in self._leases.values())
        if not self.is_large(lease):
            return True
        in_hand = self._bytes_in_hand
        return not in_hand or in_hand + lease.size <= self.settings.max_in_flight_bytes

    def start(self, lease: Lease) -> None:
        """Take a buffered lease in hand."""
        with self._lock:
            if self.is_large(lease):
                self._bytes_in_hand += lease.size
            lease.stage = Stage.IN_HAND
            if lease.alone:
                self._alone = lease

    def settle(self, delivery: Delivery, index: int, door: Door, *, kind: str, bucket: str | None) -> Lease | None:
        """Count one record out by its door; answer the lease when it was the last one, and it is now leaving.

        A record that is settled twice counts once. One of a lease that is not in hand, or that was read differently, is
        of an older receive: not the one to be done. A delivery of another process (a runner restored it after a crash)
        is adopted: its message is deleted with the handle it came with, once all its records were seen here. It is not
        open before, since the others may have been settled there, and a new receive of it replaces it.
        """
        with self._lock:
            lease = self._leases.get(delivery.message_id) or self._adopt(delivery)
            if lease.stage is not Stage.IN_HAND or delivery.records != lease.delivery.records:
                return None
            if index not in lease.unsettled:
                return None
            lease.unsettled.remove(index)
            lease.kinds[kind] += 1
            if bucket is not None:
                lease.buckets.append(bucket)
            if door.severity > lease.door.severity or not lease.kind:
                lease.door, lease.kind = door, kind
            if lease.unsettled:
                return None
            if self._adopted.pop(lease.message_id, None) is not None:
                EVENTS.received()  # whoever received it cannot tell any more
                self._leases[lease.message_id] = lease
            self._leave(lease)
            return lease

    def put_back(self, lease: Lease) -> None:
        """Make a leaving lease buffered again, with every record to do: it is tried once more without a receive."""
        with self._lock:
            lease.stage = Stage.BUFFERED
            lease.door, lease.kind, lease.left_at = Door.IGNORED, "", None
            self._end_alone(lease)
            lease.kinds.clear()
            lease.buckets.clear()
            lease.unsettled.update(range(lease.delivery.records))

    def leave(self, lease: Lease) -> None:
        """Stop extending a lease whose message is about to be given back unprocessed."""
        with self._lock:
            self._leave(lease)

    def holds(self, lease: Lease) -> bool:
        """Whether this lease is open."""
        return self._leases.get(lease.message_id) is lease

    def close(self, lease: Lease, door: Door = Door.RETURNED, kind: str = UNFINISHED) -> None:
        """Forget a lease and count its door: SQS knows its fate, or will find out by itself."""
        with self._lock:
            if not (self.holds(lease) or lease in self._superseded):
                return
            EVENTS.settled(door, kind, None if lease.left_at is None else self.clock() - lease.left_at)
            self._bytes_open -= lease.size
            if lease in self._superseded:
                self._superseded.remove(lease)
                return
            del self._leases[lease.message_id]
            self._suspects.discard(lease.message_id)
            self._end_alone(lease)
            self._tell_of_room()

    def due(self, now: float) -> list[Lease]:
        """Leases past half of their visibility timeout that may still be extended, the most urgent first."""
        margin = self.settings.visibility_timeout_s / 2
        with self._lock:
            due = [
                lease
                for lease in self._leases.values()
                if lease.stage is not Stage.LEAVING
                and not lease.lost
                and lease.receipt_handle is not None
                and lease.deadline - now <= margin
                and now - lease.opened_at < self.settings.max_processing_s
            ]
        return sorted(due, key=lambda lease: lease.deadline)

    def extended(self, lease: Lease, deadline: float) -> None:
        """Note that SQS took an extension."""
        with self._lock:
            lease.deadline = max(lease.deadline, deadline)

    def oldest_received_at(self) -> datetime | None:
        """When the oldest open delivery was received; None if nothing is open."""
        with self._lock:  # dicts keep their order, so the first entry is the oldest
            return next((lease.delivery.received_at for lease in self._leases.values()), None)

    def open_leases(self) -> list[Lease]:
        """All open leases, oldest first, and before them those that SQS delivered again meanwhile."""
        with self._lock:
            return [*self._superseded, *self._leases.values()]

    def account(self) -> tuple[Tally, InFlight]:
        """What was counted and what is held at one moment: each message received is settled or in flight."""
        with self._lock:
            now = self.clock()
            held = InFlight(
                messages=len(self._leases) + len(self._superseded),
                bytes=self._bytes_open,
                stages=_counted(self._leases.values()),
                oldest=[_told(lease, now) for lease in islice(self._leases.values(), OLDEST_TOLD)],
            )
            return EVENTS.tally(), held

    def _room(self) -> int:
        return self.settings.max_in_flight - len(self._leases) - self._reserved

    def _has_awaited_room(self) -> bool:
        return self._room() >= self._awaited

    def _tell_of_room(self) -> None:
        if self._has_awaited_room():  # else a poller would wake for each message, ten times for one receive
            self._freed.notify()

    def _adopt(self, delivery: Delivery) -> Lease:
        lease = self._adopted.get(delivery.message_id)
        if lease is None:
            now = self.clock()
            lease = Lease(delivery, delivery.receipt_handle, 0, now, now, Stage.IN_HAND, lost=True)
            lease.unsettled.update(range(delivery.records))
            self._adopted[delivery.message_id] = lease
        return lease

    def _end_alone(self, lease: Lease) -> None:
        if lease is self._alone:
            self._alone = None

    def _leave(self, lease: Lease) -> None:
        if lease.stage is Stage.IN_HAND and self.is_large(lease):
            self._bytes_in_hand -= lease.size
        lease.stage = Stage.LEAVING
        lease.left_at = self.clock()


def _counted(leases: Iterable[Lease]) -> dict[str, int]:
    counts = Counter(lease.stage for lease in leases)
    return {stage.name.lower(): count for stage, count in counts.items()}


def _told(lease: Lease, now: float) -> OpenMessage:
    return {
        "message_id": lease.message_id,
        "object": lease.ref.url if lease.ref else None,
        "stage": lease.stage.name.lower(),
        "age_s": round(now - lease.opened_at, 3),
        "attempt": lease.delivery.receive_count,
    }
