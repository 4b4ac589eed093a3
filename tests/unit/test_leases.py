"""What the lease book admits, extends, counts down and forgets."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from tests.builders import RECEIVED_AT, a_delivery
from tests.command import until
from tests.fakes import FakeClock
from transforms.events import EVENTS
from transforms.leases import Lease, LeaseBook, Stage
from transforms.records import Door
from transforms.settings import LeaseSettings

VISIBILITY_S = 60


@pytest.fixture
def clock() -> FakeClock:
    """Start at an odd time: nothing may take zero for "never"."""
    return FakeClock()


@pytest.fixture
def book(clock: FakeClock) -> LeaseBook:
    """Room for three messages and 100 bytes."""
    settings = LeaseSettings(
        visibility_timeout_s=VISIBILITY_S, max_in_flight=3, max_in_flight_bytes=100, max_processing_s=3600
    )
    return LeaseBook(settings, clock=clock)


def _opened(
    book: LeaseBook, message_id: str = "message-1", *, size: int = 10, records: int = 1, handle: str = "receipt-1"
) -> Lease:
    delivery = a_delivery(message_id=message_id, receipt_handle=handle, records=records)
    lease = book.open(delivery, size=size, asked_at=book.clock())
    assert lease is not None
    return lease


def _started(book: LeaseBook, message_id: str = "message-1", *, size: int = 10, records: int = 1) -> Lease:
    lease = _opened(book, message_id, size=size, records=records)
    book.start(lease)
    return lease


def _settle(book: LeaseBook, lease: Lease, index: int = 0, door: Door = Door.STORED) -> Lease | None:
    return book.settle(lease.delivery, index, door, kind=door.value, bucket="source-bucket")


# ── admission by count


def test_no_more_messages_are_reserved_than_there_is_room_for(book: LeaseBook) -> None:
    """What is open and what was asked for both take room."""
    _opened(book)

    assert [1, 1, 0] == [book.reserve(1), book.reserve(10), book.reserve(10)]
    assert 2 == book.reserved_count


def test_a_reservation_that_was_not_used_is_room_again(book: LeaseBook) -> None:
    """An empty receive takes no room."""
    book.reserve(3)
    book.release(3)

    assert 3 == book.reserve(10)


def test_more_open_messages_than_allowed_leave_no_negative_room(book: LeaseBook) -> None:
    """Adopted deliveries come without a reservation."""
    for number in range(4):
        _opened(book, f"message-{number}")

    assert 0 == book.reserve(10)
    assert 0 == book.reserved_count


def test_a_settled_message_takes_room_until_sqs_knows_its_fate(book: LeaseBook) -> None:
    """An SQS that takes no deletes must not let the process fill up with settled messages."""
    lease = _started(book)
    _settle(book, lease)
    assert 2 == book.reserve(10)

    book.close(lease)

    assert 0 == book.open_count
    assert 1 == book.reserve(10)


def test_room_is_awaited_until_a_message_leaves(book: LeaseBook) -> None:
    """Whoever waits is told at once."""
    lease = _started(book)
    found: list[bool] = []
    waiter = threading.Thread(target=lambda: found.append(book.await_room(10, 3600)))
    waiter.start()

    book.close(lease)

    waiter.join(10)
    assert [True] == found


def test_no_more_room_is_awaited_than_there_can_be(book: LeaseBook) -> None:
    """And not for ever."""
    assert book.await_room(10, 0)
    _opened(book)

    assert not book.await_room(10, 0)
    assert book.await_room(2, 0)


# ── admission by bytes


def test_bytes_are_in_hand_from_the_start_to_the_settlement(book: LeaseBook) -> None:
    """What only waits in the buffer has fetched nothing."""
    lease = _opened(book, size=40)
    in_hand = [book.bytes_in_hand]
    book.start(lease)
    in_hand.append(book.bytes_in_hand)
    _settle(book, lease)
    in_hand.append(book.bytes_in_hand)

    assert [0, 40, 0] == in_hand


def test_what_would_go_over_the_byte_budget_has_to_wait(book: LeaseBook) -> None:
    """Exactly full is not over."""
    _started(book, "message-1", size=60)

    assert book.fits(_opened(book, "message-2", size=40))
    assert not book.fits(_opened(book, "message-3", size=41))


def test_one_object_larger_than_the_byte_budget_is_admitted_as_the_only_large_one(book: LeaseBook) -> None:
    """It would wait for ever otherwise, and its message come round again and again."""
    huge = _opened(book, "huge", size=1_000_000)
    large = _started(book, "large", size=50)
    assert not book.fits(huge)

    _settle(book, large)

    assert book.fits(huge)
    book.start(huge)
    assert not book.fits(_opened(book, "next", size=50))


def test_what_has_no_more_than_its_share_of_the_bytes_never_waits(book: LeaseBook) -> None:
    """All of them fit together, and one large object must not hold up a thousand small ones."""
    _started(book, "huge", size=1_000_000)
    share = book.settings.max_in_flight_bytes // book.settings.max_in_flight

    assert book.fits(_opened(book, "small", size=share))
    assert not book.fits(_opened(book, "large", size=share + 1))


def test_a_message_given_back_unstarted_frees_no_bytes_it_never_took(book: LeaseBook) -> None:
    """The budget would grow with every stop."""
    _started(book, "message-1", size=40)
    buffered = _opened(book, "message-2", size=50)

    book.leave(buffered)

    assert Stage.LEAVING is buffered.stage
    assert 40 == book.bytes_in_hand


# ── one settlement for each delivery


def test_a_delivery_is_settled_only_when_its_last_record_is(book: LeaseBook) -> None:
    """In whatever order they finish."""
    lease = _started(book, records=3)

    assert [None, None, lease] == [_settle(book, lease, index) for index in (2, 0, 1)]
    assert Stage.LEAVING is lease.stage


def test_a_record_that_is_settled_twice_counts_once(book: LeaseBook) -> None:
    """A runner may repeat an element; the other record of its message is still in hand."""
    lease = _started(book, records=2)

    assert [None, None] == [_settle(book, lease, 0), _settle(book, lease, 0)]
    assert {1} == lease.unsettled
    assert 1 == lease.kinds.total()


def test_a_record_the_delivery_does_not_have_settles_nothing(book: LeaseBook) -> None:
    """An index from elsewhere must not count for a record of ours."""
    lease = _started(book)

    assert None is _settle(book, lease, 7)
    assert {0} == lease.unsettled


@pytest.mark.parametrize(
    ("doors", "worst"),
    [
        ([Door.IGNORED, Door.STORED], Door.STORED),
        ([Door.SET_ASIDE, Door.STORED], Door.SET_ASIDE),
        ([Door.RETURNED, Door.SET_ASIDE], Door.RETURNED),
        ([Door.IGNORED, Door.IGNORED], Door.IGNORED),
    ],
)
def test_a_deliverys_door_is_the_worst_of_its_records(book: LeaseBook, doors: list[Door], worst: Door) -> None:
    """A message is deleted or returned as a whole."""
    lease = _started(book, records=2)
    for index, door in enumerate(doors):
        _settle(book, lease, index, door)

    assert worst is lease.door


def test_a_settled_delivery_knows_how_many_records_ended_as_what_and_where(book: LeaseBook) -> None:
    """For the `Settled` record, which people count by."""
    lease = _started(book, records=3)
    book.settle(lease.delivery, 0, Door.STORED, kind="stored", bucket="a")
    book.settle(lease.delivery, 1, Door.STORED, kind="stored", bucket="b")
    book.settle(lease.delivery, 2, Door.IGNORED, kind="test_event", bucket=None)

    assert {"stored": 2, "test_event": 1} == dict(lease.kinds)
    assert ["a", "b"] == lease.buckets


def test_a_lease_that_is_put_back_has_all_its_records_to_do_again(book: LeaseBook) -> None:
    """Nothing of the first try is left over."""
    lease = _started(book, size=40, records=2)
    _settle(book, lease, 0, Door.STORED)
    _settle(book, lease, 1, Door.RETURNED)

    book.put_back(lease)

    assert (Stage.BUFFERED, {0, 1}, Door.IGNORED) == (lease.stage, lease.unsettled, lease.door)
    assert ({}, []) == (dict(lease.kinds), lease.buckets)
    assert 0 == book.bytes_in_hand
    assert 1 == book.open_count


# ── deliveries of a process that died


def test_an_adopted_delivery_is_settled_by_the_handle_it_came_with(book: LeaseBook) -> None:
    """There is no newer one."""
    delivery = a_delivery(receipt_handle="of-the-dead-process")
    lease = book.settle(delivery, 0, Door.STORED, kind="stored", bucket="a")

    assert lease is not None
    assert "of-the-dead-process" == lease.receipt_handle
    assert book.holds(lease)
    book.close(lease)
    assert 0 == book.open_count


def test_an_adopted_delivery_is_lost_from_the_start(book: LeaseBook) -> None:
    """Nobody extended it while the process was dead: whoever deletes it must say that another may have it too."""
    lease = book.settle(a_delivery(), 0, Door.STORED, kind="stored", bucket="a")

    assert lease is not None
    assert lease.lost


def test_an_adopted_delivery_whose_other_records_never_come_is_not_open(book: LeaseBook) -> None:
    """They were settled by the process that died: waiting for them would never end."""
    assert None is book.settle(a_delivery(records=2), 0, Door.STORED, kind="stored", bucket="a")

    assert 0 == book.open_count
    assert [] == book.due(book.clock())


def test_all_records_of_an_adopted_delivery_settle_it(book: LeaseBook) -> None:
    """The runner restored all of them."""
    delivery = a_delivery(records=2)
    book.settle(delivery, 1, Door.SET_ASIDE, kind="too_large", bucket="a")
    lease = book.settle(delivery, 0, Door.STORED, kind="stored", bucket="a")

    assert lease is not None
    assert (Door.SET_ASIDE, 2) == (lease.door, lease.kinds.total())
    assert [lease] == book.open_leases()


def test_a_new_receive_replaces_an_adopted_delivery(book: LeaseBook) -> None:
    """It is no copy of work in hand: all its records are to be done, or the message would be held for nothing."""
    book.settle(a_delivery(records=2), 0, Door.STORED, kind="stored", bucket="a")

    lease = _started(book, records=2)

    assert {0, 1} == lease.unsettled
    assert [None, lease] == [_settle(book, lease, 0), _settle(book, lease, 1)]


# ── copies


def test_an_old_copy_of_a_record_does_not_settle_a_buffered_message(book: LeaseBook) -> None:
    """The message is started later all the same, and would take bytes that nobody gives back."""
    lease = _opened(book, size=40)
    assert None is _settle(book, lease)
    book.start(lease)

    assert lease is _settle(book, lease)
    assert 0 == book.bytes_in_hand


def test_an_old_copy_of_a_record_does_not_settle_a_message_that_was_read_differently(book: LeaseBook) -> None:
    """Received too often, its three records became one failure: the first record's result does not stand for it."""
    lease = _started(book, records=1)
    old = a_delivery(records=3)

    assert None is book.settle(old, 0, Door.STORED, kind="stored", bucket="a")
    assert {0} == lease.unsettled


def test_a_duplicate_receipt_replaces_the_handle_and_is_not_emitted(book: LeaseBook, clock: FakeClock) -> None:
    """Only the newest handle deletes for certain."""
    lease = _started(book)
    clock.advance(70)
    copy = book.open(a_delivery(receipt_handle="receipt-2"), size=10, asked_at=clock())

    assert None is copy
    assert ("receipt-2", clock() + VISIBILITY_S) == (lease.receipt_handle, lease.deadline)
    assert 1 == book.open_count


def test_what_is_on_its_way_back_and_is_received_again_begins_anew(book: LeaseBook) -> None:
    """Its return came too late; as a copy the receive would have been for nothing."""
    returned = _started(book)
    _settle(book, returned, door=Door.RETURNED)

    again = _opened(book, handle="receipt-2")

    assert (True, Stage.BUFFERED) == (returned.superseded, again.stage)
    book.close(returned)
    assert [again] == book.open_leases()


def test_what_was_alone_and_is_received_again_on_its_way_back_is_alone_no_more(book: LeaseBook) -> None:
    """Its old lease is not closed in the book any more; nothing would ever start again."""
    delivery = a_delivery(message_id="suspect")
    suspect = book.open(delivery, size=1, asked_at=book.clock(), alone=True)
    assert suspect is not None
    book.start(suspect)
    _settle(book, suspect, door=Door.RETURNED)
    again = book.open(delivery, size=1, asked_at=book.clock(), alone=True)
    assert again is not None

    assert book.fits(again)


def test_a_reservation_that_was_not_used_is_told_to_whoever_waits_for_room(book: LeaseBook) -> None:
    """An empty receive frees as much as messages that leave."""
    reserved = book.reserve(2)
    found: list[bool] = []
    waiter = threading.Thread(target=lambda: found.append(book.await_room(10, 3600)))
    waiter.start()
    assert until(lambda: bool(book._freed._waiters))  # type: ignore[attr-defined]  # it waits by now

    book.release(reserved)

    waiter.join(10)
    assert [True] == found


def test_a_lost_lease_that_is_received_again_is_held_and_extended_again(book: LeaseBook, clock: FakeClock) -> None:
    """Or it would be lost and received in turns for as long as its work takes."""
    lease = _started(book)
    lease.lost = True
    clock.advance(70)
    book.open(a_delivery(receipt_handle="receipt-2"), size=10, asked_at=clock())

    assert [lease] == book.due(clock() + VISIBILITY_S / 2)


def test_a_lease_that_was_closed_does_not_close_its_successor(book: LeaseBook) -> None:
    """They share a message id."""
    first = _opened(book)
    book.close(first)
    second = _opened(book)

    book.close(first)

    assert [second] == book.open_leases()
    assert (False, True) == (book.holds(first), book.holds(second))


# ── extensions


def test_a_lease_counts_from_the_request_not_from_the_answer(book: LeaseBook, clock: FakeClock) -> None:
    """SQS's clock started somewhere in between: the early guess is the safe one."""
    asked_at = clock()
    clock.advance(10)
    lease = book.open(a_delivery(), size=1, asked_at=asked_at)

    assert lease is not None
    assert asked_at + VISIBILITY_S == lease.deadline


def test_leases_are_due_past_half_of_their_visibility_timeout_the_most_urgent_first(
    book: LeaseBook, clock: FakeClock
) -> None:
    """So that one failed extension costs nothing."""
    first = _opened(book, "first")
    clock.advance(10)
    second = _started(book, "second")
    book.extended(first, clock() + VISIBILITY_S + 5)

    assert [] == book.due(clock() + 29)
    assert [second] == book.due(clock() + 30)
    assert [second, first] == book.due(clock() + 35)


def test_an_extension_never_shortens_a_lease(book: LeaseBook) -> None:
    """Its answer may come after that of a later one."""
    lease = _opened(book)
    book.extended(lease, lease.deadline - 1)

    assert book.clock() + VISIBILITY_S == lease.deadline


def test_what_is_leaving_lost_or_has_no_queue_behind_it_is_never_due(book: LeaseBook, clock: FakeClock) -> None:
    """Extending the first would overwrite its return's delay; the others cannot be extended."""
    _settle(book, _started(book, "leaving"))
    _opened(book, "lost").lost = True
    book.open(a_delivery(message_id="replayed", receipt_handle=None), size=1, asked_at=clock())

    assert [] == book.due(clock() + VISIBILITY_S)


def test_nothing_is_extended_for_longer_than_the_longest_processing(book: LeaseBook, clock: FakeClock) -> None:
    """A hung object's message goes to somebody else."""
    lease = _started(book)

    assert [lease] == book.due(clock() + 3599)
    assert [] == book.due(clock() + 3600)


def test_the_oldest_open_delivery_is_known(book: LeaseBook) -> None:
    """The watermark is held there."""
    assert None is book.oldest_received_at()
    older = a_delivery(message_id="older", received_at=RECEIVED_AT)
    newer = a_delivery(message_id="newer", received_at=RECEIVED_AT + timedelta(seconds=5))
    leases = [book.open(delivery, size=1, asked_at=0) for delivery in (older, newer)]
    assert RECEIVED_AT == book.oldest_received_at()

    assert leases[0] is not None
    book.close(leases[0])

    assert RECEIVED_AT + timedelta(seconds=5) == book.oldest_received_at()


# ── the account


def _balance(book: LeaseBook) -> tuple[int, int, int]:
    """What was received, what left by any door, and what is in flight."""
    tally, held = book.account()
    return (
        tally["counts"].get("received", 0),
        sum(tally["counts"].get(door, 0) for door in Door),
        held["messages"],
    )


def test_a_message_is_received_when_it_is_held_and_leaves_when_its_lease_does(book: LeaseBook) -> None:
    """At every moment in between it is in flight."""
    seen = [_balance(book)]
    lease = _started(book)
    seen.append(_balance(book))
    _settle(book, lease)
    seen.append(_balance(book))
    book.close(lease, Door.STORED, lease.kind)
    seen.append(_balance(book))
    book.close(lease, Door.STORED, lease.kind)
    seen.append(_balance(book))

    assert [(0, 0, 0), (1, 0, 1), (1, 0, 1), (1, 1, 0), (1, 1, 0)] == seen


def test_a_copy_of_what_is_held_is_received_and_ignored(book: LeaseBook) -> None:
    """It never is in flight beside the other."""
    _started(book)
    book.open(a_delivery(receipt_handle="receipt-2"), size=10, asked_at=book.clock())

    assert (2, 1, 1) == _balance(book)
    assert 1 == EVENTS.counts()["ignored/duplicate_receipt"]


def test_what_is_received_again_on_its_way_back_is_in_flight_twice(book: LeaseBook) -> None:
    """Until the return is told; both are given up at the end of the process."""
    returned = _started(book)
    _settle(book, returned, door=Door.RETURNED)
    again = _opened(book, handle="receipt-2")
    both = _balance(book), book.account()[1]["bytes"]
    book.close(returned, Door.RETURNED, "forbidden")
    one = _balance(book), book.account()[1]["bytes"]
    book.close(again)

    assert (((2, 0, 2), 20), ((2, 1, 1), 10), (2, 2, 0)) == (both, one, _balance(book))


def test_an_adopted_delivery_is_received_when_it_is_settled(book: LeaseBook) -> None:
    """Whoever received it cannot count any more."""
    lease = book.settle(a_delivery(), 0, Door.STORED, kind="stored", bucket="a")
    assert lease is not None
    before = _balance(book)
    book.close(lease, Door.STORED, "stored")

    assert ((1, 0, 1), (1, 1, 0)) == (before, _balance(book))


def test_the_kind_of_a_message_is_that_of_the_first_record_with_its_door(book: LeaseBook) -> None:
    """A worse door takes the kind along; put back, it has neither."""
    lease = _started(book, records=4)
    kinds = []
    for index, (door, kind) in enumerate(
        [
            (Door.IGNORED, "filtered"),
            (Door.STORED, "stored"),
            (Door.RETURNED, "forbidden"),
            (Door.RETURNED, "throttled"),
        ]
    ):
        book.settle(lease.delivery, index, door, kind=kind, bucket=None)
        kinds.append(lease.kind)
    book.put_back(lease)

    assert ["filtered", "stored", "forbidden", "forbidden", ""] == [*kinds, lease.kind]


def test_the_time_of_an_acknowledgement_counts_from_the_last_record(book: LeaseBook, clock: FakeClock) -> None:
    """The wait for the batch is part of it."""
    lease = _started(book)
    clock.advance(100)
    _settle(book, lease)
    clock.advance(0.5)
    book.close(lease, Door.STORED, "stored")

    assert 0.5 == book.account()[0]["histograms"]["acknowledge"]["sum"]
