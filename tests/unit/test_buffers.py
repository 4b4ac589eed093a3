"""In what order, and how many at once, buffered messages are started."""

from __future__ import annotations

import threading

import pytest

from tests.builders import a_delivery, an_object_ref
from tests.fakes import FakeClock
from transforms.buffers import Buffer, Waiting
from transforms.failures import FailureKind, FinishedKind
from transforms.leases import LeaseBook, Stage
from transforms.outages import SOURCE, OutageGuard
from transforms.records import Failure, Finished, ObjectRef
from transforms.settings import LeaseSettings

JOIN_S = 10


class _Line:
    """A buffer, and what it is made of."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.book = LeaseBook(LeaseSettings(max_in_flight=50, max_in_flight_bytes=100), clock=self.clock)
        self.guard = OutageGuard(clock=self.clock)
        self.buffer = Buffer(self.book, self.guard)

    def add(
        self, message_id: str, *, size: int = 1, records: int = 1, receive_count: int = 1, alone: bool = False
    ) -> Waiting:
        """Receive a message of so many records and bytes."""
        delivery = a_delivery(message_id=message_id, records=records, receive_count=receive_count)
        lease = self.book.open(delivery, size=size, asked_at=self.clock(), alone=alone)
        assert lease is not None
        waiting = Waiting(lease, [an_object_ref(delivery=delivery, index=index) for index in range(records)])
        self.buffer.add(waiting)
        return waiting

    def add_finished(self, message_id: str) -> None:
        """Receive a message with nothing to do."""
        delivery = a_delivery(message_id=message_id)
        lease = self.book.open(delivery, size=0, asked_at=self.clock())
        assert lease is not None
        self.buffer.add(Waiting(lease, [Finished(delivery, 0, FinishedKind.TEST_EVENT)]))

    def take(self) -> list[str]:
        """Start what may be started; answer the message ids."""
        return [outcome.delivery.message_id for outcome in self.buffer.take(0)]

    def end(self, waiting: Waiting) -> None:
        """Settle it, and let SQS know."""
        self.book.leave(waiting.lease)
        self.book.close(waiting.lease)

    def fail(self, waiting: Waiting) -> None:
        """End a probe that failed; it is held."""
        assert waiting is self.buffer.end_probe(waiting.lease)
        self.buffer.hold(waiting)

    def begin_outage(self) -> None:
        """Let three messages fail; the first probe is due at once."""
        for message_id in "xyz":
            self.guard.failed(FailureKind.UNAVAILABLE, message_id, "503")
        self.clock.advance(1)


@pytest.fixture
def line() -> _Line:
    """An empty one."""
    return _Line()


def test_messages_are_started_in_the_order_in_which_they_came(line: _Line) -> None:
    """First come, first served, and each once."""
    for message_id in "abc":
        line.add(message_id)

    assert [["a", "b", "c"], []] == [line.take(), line.take()]


def test_about_a_hundred_records_are_started_at_once(line: _Line) -> None:
    """A message's records stay together."""
    for number in range(40):
        line.add(f"message-{number}", records=3)

    assert [f"message-{number}" for number in range(34) for _ in range(3)] == line.take()


def test_what_is_taken_is_in_hand(line: _Line) -> None:
    """What is not, is not."""
    first, second = line.add("a", size=60), line.add("b", size=60)
    line.take()

    assert (Stage.IN_HAND, Stage.BUFFERED) == (first.lease.stage, second.lease.stage)
    assert 60 == line.book.bytes_in_hand


def test_messages_wait_until_their_bytes_fit(line: _Line) -> None:
    """The one at the head keeps its place."""
    first = line.add("a", size=60)
    line.add("b", size=60)
    line.add("c", size=30)
    assert [["a"], []] == [line.take(), line.take()]

    line.book.leave(first.lease)

    assert ["b", "c"] == line.take()


def test_a_large_message_holds_up_no_small_one(line: _Line) -> None:
    """Neither one that is worked on, though it takes the whole budget, nor one that waits for it."""
    first = line.add("huge", size=1000)
    line.add("large", size=60)
    line.add("small", size=2)
    assert ["huge", "small"] == line.take()

    line.book.leave(first.lease)

    assert ["large"] == line.take()


def test_small_messages_hold_up_no_large_one(line: _Line) -> None:
    """However many there are: it would wait for ever in a busy queue."""
    for number in range(40):
        line.add(f"small-{number:02}", size=2)
    line.take()
    line.add("large", size=90)

    assert "large" == line.take()[0]


def test_a_take_waits_for_a_message(line: _Line) -> None:
    """It is told at once when one comes, and does not look for it now and then."""
    taken: list[ObjectRef | Finished | Failure] = []
    taker = threading.Thread(target=lambda: taken.extend(line.buffer.take(3600)))
    taker.start()
    line.add("a")
    taker.join(JOIN_S)

    assert not taker.is_alive()
    assert ["a"] == [outcome.delivery.message_id for outcome in taken]


def test_several_takers_never_start_a_message_twice(line: _Line) -> None:
    """Receivers of one process share its buffer."""
    for number in range(500):
        line.add(f"message-{number}", size=0)
    taken: list[str] = []
    takers = [threading.Thread(target=lambda: [taken.extend(line.take()) for _ in range(50)]) for _ in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join(JOIN_S)

    assert sorted(f"message-{number}" for number in range(500)) == sorted(taken)


# ── what may have killed the workers that held it


def test_a_message_that_is_to_be_alone_waits_for_what_is_in_hand_and_lets_nothing_start(line: _Line) -> None:
    """If it kills this process, it takes nobody with it, not even one whose delete is under way."""
    before = line.add("before")
    line.take()
    suspect = line.add("suspect", size=1000, records=2, alone=True)
    line.add("after", size=0)
    assert [] == line.take()
    line.book.leave(before.lease)
    assert [] == line.take()
    line.book.close(before.lease)

    assert [["suspect", "suspect"], []] == [line.take(), line.take()]
    line.book.leave(suspect.lease)
    assert [] == line.take()
    line.book.close(suspect.lease)
    assert ["after"] == line.take()


def test_a_message_that_is_to_be_alone_waits_for_a_poll_under_way(line: _Line) -> None:
    """What it brings would be held without a turn, and a crash would cost it a receive."""
    line.book.reserve(1)
    line.add("suspect", alone=True)
    assert [] == line.take()
    line.book.release(1)

    assert ["suspect"] == line.take()


def test_two_messages_that_are_to_be_alone_are_started_one_after_the_other(line: _Line) -> None:
    """Only one of them is the killer; and a message with nothing to do does not come between."""
    waiting = {message_id: line.add(message_id, alone=True) for message_id in "abc"}
    line.add_finished("test-event")
    started = []
    for _ in range(3):
        [message_id] = line.take()
        started.append(message_id)
        line.end(waiting[message_id])

    assert ["a", "b", "c"] == sorted(started)
    assert ["test-event"] == line.take()


@pytest.mark.parametrize("give_up_after", range(2, 9))
def test_whoever_stood_behind_a_killer_once_has_stood_before_it_too(give_up_after: int) -> None:
    """A crash costs a receive those behind it; between --give_up_after and twice that, each has its turn."""
    had_their_turn: set[str] = set()
    for receive_count in range(give_up_after + 1, 2 * give_up_after + 1):
        line = _Line()
        waiting = {
            message_id: line.add(message_id, receive_count=receive_count, alone=True) for message_id in "abcdefgh"
        }
        while (started := line.take()) != ["e"]:
            had_their_turn.update(started)
            line.end(waiting[started[0]])

    assert set("abcdfgh") == had_their_turn


def test_a_failed_probe_that_was_alone_lets_others_start(line: _Line) -> None:
    """It is alone again when its turn comes again."""
    probe = line.add("suspect", alone=True)
    line.begin_outage()
    line.take()
    line.book.leave(probe.lease)
    line.fail(probe)
    line.add("a")
    line.clock.advance(2)
    assert [["a"], []] == [line.take(), line.take()]
    line.guard.succeeded(SOURCE)

    assert [] == line.take()


# ── while an outage lasts


def test_while_an_outage_lasts_one_message_is_started_at_a_time(line: _Line) -> None:
    """Each receive that is burnt brings a message nearer to a dead-letter queue."""
    for message_id in "abc":
        line.add(message_id)
    line.begin_outage()

    assert [["a"], []] == [line.take(), line.take()]
    line.clock.advance(2)
    assert [["b"], []] == [line.take(), line.take()]


def test_a_failed_probe_is_held_for_a_later_one(line: _Line) -> None:
    """With all its records to do; its message costs no receive."""
    probe = line.add("a", records=2)
    line.begin_outage()
    line.take()
    line.fail(probe)
    assert [] == line.take()

    line.clock.advance(2)

    assert ["a", "a"] == line.take()


def test_messages_that_were_never_tried_are_probed_first(line: _Line) -> None:
    """The one that was tried may be the only bad one."""
    probe = line.add("a")
    line.begin_outage()
    line.take()
    line.fail(probe)
    assert not line.buffer.has_fresh
    line.add("b")
    assert line.buffer.has_fresh

    line.clock.advance(2)

    assert ["b"] == line.take()


def test_after_the_outage_what_was_held_goes_first(line: _Line) -> None:
    """It has waited longest."""
    probe = line.add("a")
    line.begin_outage()
    line.take()
    line.fail(probe)
    line.add("b")
    line.guard.succeeded(SOURCE)

    assert ["a", "b"] == line.take()


def test_a_message_with_nothing_to_do_is_no_probe(line: _Line) -> None:
    """It asks nobody: a queue full of filtered keys must not put off the outage's end."""
    for number in range(3):
        line.add_finished(f"filtered-{number}")
    line.add("a")
    line.add_finished("filtered-3")
    line.begin_outage()

    assert ["filtered-0", "filtered-1", "filtered-2", "a", "filtered-3"] == line.take()


def test_a_probe_that_does_not_fit_is_not_used_up(line: _Line) -> None:
    """The next would come later for nothing."""
    big = line.add("a", size=90)
    line.take()
    line.add("b", size=90)
    line.begin_outage()
    assert [] == line.take()

    line.book.leave(big.lease)

    assert ["b"] == line.take()


def test_only_a_probe_ends_a_probe(line: _Line) -> None:
    """What was in hand before the outage is no probe; and a probe ends once."""
    before = line.add("a")
    line.take()
    line.begin_outage()
    assert None is line.buffer.end_probe(before.lease)
    probe = line.add("b")
    line.take()

    assert None is line.buffer.end_probe(before.lease)
    assert [probe, None] == [line.buffer.end_probe(probe.lease), line.buffer.end_probe(probe.lease)]


# ── on stop


def test_a_closed_buffer_answers_each_message_once_and_starts_none(line: _Line) -> None:
    """Fresh, held, and what comes later: all of it goes back."""
    held, fresh = line.add("a"), line.add("b")
    line.begin_outage()
    line.take()
    line.fail(held)
    suspect = line.add("d", alone=True)
    assert [suspect.lease, fresh.lease, held.lease] == line.buffer.close()
    late = line.add("c")

    assert [] == line.take()
    assert [[late.lease], []] == [line.buffer.close(), line.buffer.close()]
