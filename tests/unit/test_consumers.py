"""The process's side of the queue: what it lets in, hands out, settles, gives back, and when it has finished."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import QUEUE_URL, RECEIVED_AT, a_message, a_notification, a_test_event
from tests.by_hand import BatcherByHand, Desk
from tests.fakes import FakeClock
from transforms import consumers
from transforms.consumers import GAVE_UP, OUTAGE_PATIENCE_S, STALE_S, Consumer
from transforms.events import EVENTS
from transforms.failures import FailureKind, QueueError
from transforms.outages import SOURCE
from transforms.records import Door, Failure, Finished, ObjectRef
from transforms.settings import LeaseSettings, ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.queues import Message

JOIN_S = 10
DOWN = QueueError("SQS is down")
LEASES = LeaseSettings(
    visibility_timeout_s=60, max_in_flight=25, max_in_flight_bytes=10_000, retry_base_s=10, retry_max_s=900
)

Outcome = ObjectRef | Finished | Failure


class _Process:
    """A consumer that is driven by hand: the test is its pollers, its flow and its senders."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - whatever the settings take
        self.clock = FakeClock()
        self.desk = Desk()
        self.stop = threading.Event()
        self.elsewhere = threading.Event()
        self.consumer = Consumer(
            self.desk,
            ReceiveSettings(QUEUE_URL, **settings),
            LEASES,
            stop=self.stop,
            elsewhere=self.elsewhere,
            clock=self.clock,
            batcher=BatcherByHand,
        )

    def receive(self, *messages: Message, reserved: int | None = None) -> None:
        """Let SQS answer one poll."""
        reserved = self.consumer.reserve() if reserved is None else reserved
        self.consumer.admit(list(messages), reserved=reserved, asked_at=self.clock())

    def take(self) -> list[Outcome]:
        """Start what may be started."""
        return self.consumer.take(0)

    def settle(self, outcome: Outcome, door: Door = Door.STORED, kind: str | None = None) -> None:
        """Let a record reach its door."""
        index = outcome.index
        self.consumer.settle(outcome.delivery, index, door, kind=kind or door.value, bucket="source-bucket")

    def fail(self, outcome: Outcome, kind: FailureKind = FailureKind.UNAVAILABLE) -> None:
        """Let a record fail, as the last step does."""
        self.consumer.guard.failed(kind, outcome.delivery.message_id, "no")
        self.settle(outcome, Door.RETURNED, kind)

    def send(self) -> None:
        """Let the acknowledgements go to SQS, and the last step tell of them."""
        self.consumer.acknowledger.flush()
        list(self.consumer.acknowledger.settled())

    def begin_outage(self) -> None:
        """Let three messages fail; the first probe is due at once."""
        for message_id in "xyz":
            self.consumer.guard.failed(FailureKind.UNAVAILABLE, message_id, "503")
        self.clock.advance(1)

    def pass_idle(self, seconds: float) -> bool:
        """Let empty receives come back for so long; answer whether the pollers ended of it."""
        for _ in range(int(seconds)):
            self.clock.advance(1)
            self.take()
            self.receive()
        self.consumer.book.release(self.consumer.reserve())
        return self.consumer._pollers.closed


@pytest.fixture(autouse=True)
def no_idle_wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Do not wait in earnest when nothing is open, and count from zero."""
    monkeypatch.setattr(consumers, "IDLE_WAIT_S", 0)
    EVENTS.reset()
    yield
    EVENTS.reset()


@pytest.fixture
def process() -> _Process:
    """One that runs until it is stopped."""
    return _Process()


def _message(name: str, *, receives: int = 1, handle: str | None = None, keys: int = 1, size: int = 1) -> Message:
    body = a_notification(*(f"{name}-{number}" for number in range(keys)), size=size)
    return a_message(message_id=name, receipt_handle=handle or f"handle-{name}", receive_count=receives, body=body)


# ── settling


def test_a_message_is_deleted_only_when_all_its_records_have_left_by_a_door(process: _Process) -> None:
    """In any order, by any door but the way back."""
    process.receive(_message("a", keys=3))
    first, second, third = process.take()
    for outcome, door in [(third, Door.SET_ASIDE), (first, Door.STORED)]:
        process.settle(outcome, door)
        process.send()
        assert [] == process.desk.deleted + process.desk.returned
    process.settle(second, Door.IGNORED)
    process.send()

    assert [["handle-a"]] == process.desk.deleted
    assert "1 received = 0 stored + 0 ignored + 1 set aside + 0 returned" == EVENTS.summary()


def test_a_message_with_one_returned_record_goes_back_as_a_whole(process: _Process) -> None:
    """After all its records have ended, and with a delay."""
    process.receive(_message("a", keys=2))
    first, second = process.take()
    process.settle(first, Door.RETURNED, "processor_error")
    process.send()
    assert [] == process.desk.returned
    process.settle(second)
    process.send()

    assert [] == process.desk.deleted
    assert [{"handle-a"}] == [set(batch) for batch in process.desk.returned]
    assert 0 < process.desk.returned[0]["handle-a"] <= 10


def test_a_message_that_came_often_goes_back_for_longer_but_not_for_ever(process: _Process) -> None:
    """Its receive count decides, `retry_max_s` bounds it."""
    process.receive(*(_message(f"{receives}", receives=receives) for receives in (1, 5, 10)))
    while outcomes := process.take():
        for outcome in outcomes:
            process.settle(outcome, Door.RETURNED, "processor_error")
        process.send()
    delays_s = {handle: delay_s for request in process.desk.returned for handle, delay_s in request.items()}
    first, fifth, tenth = (delays_s[f"handle-{receives}"] for receives in (1, 5, 10))

    assert 0 < first <= 10 < fifth <= 160 < tenth <= 900


def test_a_message_with_nothing_to_do_passes_through_the_flow_as_well(process: _Process) -> None:
    """The last step decides all fates."""
    process.receive(a_message(body=a_test_event()), a_message(message_id="junk", body="junk"))

    assert [Finished, Failure] == [type(outcome) for outcome in process.take()]
    assert 2 == process.consumer.book.open_count


# ── admission


def test_no_more_is_asked_for_than_may_be_in_flight(process: _Process) -> None:
    """Open messages and those that were asked for take room alike."""
    process.receive(*(_message(f"{number}") for number in range(10)))

    assert [10, 5, 0] == [process.consumer.reserve() for _ in range(3)]


def test_room_that_was_asked_for_in_vain_is_room_again(process: _Process) -> None:
    """Whether SQS had nothing or no answer."""
    process.receive(reserved=process.consumer.reserve())
    process.consumer.receive_failed(process.consumer.reserve())

    assert 0 == process.consumer.book.reserved_count
    assert {"receives_failed": 1} == EVENTS.counts()


def test_the_bytes_of_all_records_of_a_message_count(process: _Process) -> None:
    """They are started together."""
    process.receive(_message("a", keys=3, size=2_000), _message("b", keys=2, size=2_001))

    assert ["a"] * 3 == [outcome.delivery.message_id for outcome in process.take()]
    assert 6_000 == process.consumer.book.bytes_in_hand
    assert [] == process.take()


def test_a_message_received_twice_is_worked_on_once_and_deleted_with_the_newer_handle(process: _Process) -> None:
    """The copy counts as ignored."""
    process.receive(_message("a", handle="older"))
    [outcome] = process.take()
    process.receive(_message("a", handle="newer", receives=2))
    assert [] == process.take()
    process.settle(outcome)
    process.send()

    assert [["newer"]] == process.desk.deleted
    assert 1 == EVENTS.counts()["duplicate_receipt"]
    assert "2 received = 1 stored + 1 ignored + 0 set aside + 0 returned" == EVENTS.summary()


def test_a_message_received_more_than_twice_give_up_after_is_not_tried_again(process: _Process) -> None:
    """It probably kills workers; all its records are one failure."""
    process.receive(_message("ten", receives=10), _message("eleven", receives=11, keys=3))
    [tried] = process.take()
    process.settle(tried)
    [given_up] = process.take()

    assert isinstance(tried, ObjectRef)
    assert isinstance(given_up, Failure)
    assert (FailureKind.RECEIVED_TOO_OFTEN, 1) == (given_up.kind, given_up.delivery.records)
    assert "received 11 times and never settled; --give_up_after is 5" == given_up.detail
    process.settle(given_up, Door.SET_ASIDE, given_up.kind)
    process.send()
    assert [["handle-ten"], ["handle-eleven"]] == process.desk.deleted


def test_a_message_received_more_than_give_up_after_is_tried_alone(process: _Process) -> None:
    """It may be what kills workers: a failure would have set it aside. SQS knows of it before others are started."""
    process.receive(_message("five", receives=5), _message("six", receives=6), _message("one"))
    [suspect] = process.take()

    assert "six" == suspect.delivery.message_id
    assert [] == process.take()
    process.settle(suspect)
    assert [["handle-six"]] == process.desk.deleted
    assert ["five", "one"] == [outcome.delivery.message_id for outcome in process.take()]


def test_nothing_is_received_while_a_message_is_held_that_is_to_be_alone(process: _Process) -> None:
    """It could not be started, and if that one kills this process it has lost a receive."""
    process.receive(_message("six", receives=6))
    assert 0 == process.consumer.reserve()
    [suspect] = process.take()
    assert 0 == process.consumer.reserve()
    process.settle(suspect)

    assert 10 == process.consumer.reserve()


def test_what_asks_nothing_of_anybody_kills_nobody(process: _Process) -> None:
    """A test event need not be alone, however often it comes."""
    process.receive(a_message(body=a_test_event(), receive_count=6), _message("one"))

    assert 2 == len(process.take())


def test_nothing_is_received_while_nobody_takes(process: _Process) -> None:
    """The runner may pause, or one call of the user's function take an hour."""
    process.clock.advance(STALE_S)
    assert 10 == process.consumer.reserve()
    process.clock.advance(1)
    assert 0 == process.consumer.reserve()
    process.take()

    assert 10 == process.consumer.reserve()


# ── outages


def test_during_an_outage_one_message_is_received_at_a_time(process: _Process) -> None:
    """And none while another one waits that was never tried."""
    process.begin_outage()
    reserved = process.consumer.reserve()
    assert 1 == reserved
    process.receive(_message("a"), reserved=reserved)
    assert 0 == process.consumer.reserve()
    process.take()

    assert 1 == process.consumer.reserve()


def test_a_failed_probe_is_held_and_tried_again_without_another_receive(process: _Process) -> None:
    """Or an outage would carry every message into a dead-letter queue."""
    process.begin_outage()
    process.receive(_message("a", keys=2))
    for outcome in process.take():
        process.fail(outcome)
    process.send()
    assert [] == process.desk.deleted + process.desk.returned
    process.clock.advance(2)
    again = process.take()
    for outcome in again:
        process.settle(outcome)
    process.send()

    assert 2 == len(again)
    assert [["handle-a"]] == process.desk.deleted
    assert "1 received = 1 stored + 0 ignored + 0 set aside + 0 returned" == EVENTS.summary()


def test_what_failed_before_the_outage_was_noticed_goes_back(process: _Process) -> None:
    """It was no probe."""
    process.receive(*(_message(name) for name in "abc"))
    for outcome in process.take():
        process.fail(outcome)
    process.send()

    assert process.consumer.guard.pausing
    assert {"handle-a", "handle-b", "handle-c"} == set(process.desk.returned[0])


def _is_over(process: _Process) -> None:
    process.consumer.guard.succeeded(SOURCE)


def _is_lost(process: _Process) -> None:
    process.consumer.book.open_leases()[0].lost = True


def _is_old(process: _Process) -> None:
    process.clock.advance(LEASES.max_processing_s)


def _is_stopped(process: _Process) -> None:
    process.stop.set()


@pytest.mark.parametrize("change", [_is_over, _is_lost, _is_old, _is_stopped])
def test_a_failed_probe_goes_back_when_the_outage_the_lease_or_the_job(process: _Process, change: Any) -> None:  # noqa: ANN401 - a function
    """Is over: holding it would help nobody."""
    process.begin_outage()
    process.receive(_message("a"))
    [outcome] = process.take()
    change(process)
    process.settle(outcome, Door.RETURNED, FailureKind.UNAVAILABLE)
    process.send()

    assert [{"handle-a"}] == [set(batch) for batch in process.desk.returned]


def test_a_probe_that_failed_for_a_reason_of_its_own_goes_back(process: _Process) -> None:
    """Here the outside works but the output store is down: the user's function failed."""
    for message_id in "xyz":
        process.consumer.guard.failed(FailureKind.WRITE_FAILED, message_id, "503")
    process.clock.advance(1)
    process.receive(_message("a"))
    [outcome] = process.take()
    process.fail(outcome, FailureKind.PROCESSOR_ERROR)
    process.send()

    assert process.consumer.guard.pausing
    assert [{"handle-a"}] == [set(batch) for batch in process.desk.returned]


def test_a_probe_that_proved_nothing_makes_way_for_the_next_at_once(process: _Process) -> None:
    """Results that were stored just before the outage are many: each would cost the recovery a probe's delay."""
    process.begin_outage()
    for name in "abcde":
        process.receive(_message(name))
        [outcome] = process.take()
        process.settle(outcome, Door.IGNORED, "already_finished")
    process.send()
    process.receive(_message("f"))

    assert process.consumer.guard.pausing
    assert [["handle-a", "handle-b", "handle-c", "handle-d", "handle-e"]] == process.desk.deleted
    assert 1 == len(process.take())


def test_a_probe_whose_failure_is_ignored_is_none_that_proved_nothing(process: _Process) -> None:
    """With --fate=unavailable=ignore an outage must not empty the queue at full speed."""
    process.begin_outage()
    process.receive(_message("a"))
    [outcome] = process.take()
    process.settle(outcome, Door.IGNORED, FailureKind.UNAVAILABLE)
    process.receive(_message("b"))

    assert [] == process.take()


# ── stop


def test_on_a_stop_what_was_not_started_goes_straight_back(process: _Process) -> None:
    """Visible at once for whoever still runs; what is in hand is settled."""
    process.receive(_message("a", size=9_999), _message("b", size=9_999))
    [in_hand] = process.take()
    process.stop.set()
    assert [] == process.take()
    assert [{"handle-b": 0}] == process.desk.returned
    assert not process.consumer.finished()
    process.settle(in_hand)
    process.send()

    assert [["handle-a"]] == process.desk.deleted
    assert process.consumer.finished()
    assert "2 received = 1 stored + 0 ignored + 0 set aside + 1 returned" == EVENTS.summary()


def test_messages_that_arrive_after_a_stop_go_straight_back(process: _Process) -> None:
    """A poll was in flight; nobody needs to take for that."""
    reserved = process.consumer.reserve()
    process.stop.set()
    process.receive(_message("a"), _message("b"), reserved=reserved)

    assert [{"handle-a": 0, "handle-b": 0}] == process.desk.returned
    assert [] == process.take()
    assert 0 == process.consumer.book.open_count


def test_nothing_new_is_started_after_a_stop(process: _Process) -> None:
    """Not even what a poll brings between the look at the stop and the look into the buffer."""
    process.take()
    process.stop.set()
    give_back = process.consumer._give_back_unstarted

    def and_then_a_message_comes() -> None:
        process.consumer._give_back_unstarted = give_back  # type: ignore[method-assign]
        give_back()
        process.consumer._buffer.add(process.consumer._open(_message("late"), RECEIVED_AT, process.clock()))

    process.consumer._give_back_unstarted = and_then_a_message_comes  # type: ignore[method-assign]

    assert [] == process.take()
    assert [] == process.take()
    assert [{"handle-late": 0}] == process.desk.returned


def test_a_failed_probe_that_is_held_when_the_stop_comes_goes_back(process: _Process) -> None:
    """It is in the buffer like any other."""
    process.begin_outage()
    process.receive(_message("a"))
    [outcome] = process.take()
    process.fail(outcome)
    process.stop.set()
    process.take()

    assert [{"handle-a": 0}] == process.desk.returned


def test_a_stopped_worker_of_a_job_elsewhere_gives_back_but_does_not_end_the_job(process: _Process) -> None:
    """The runner would take the end of a source for the end of the job."""
    process.elsewhere.set()
    process.receive(_message("a"))
    process.stop.set()

    assert [] == process.take()
    process.send()
    assert (True, 0) == (process.consumer.receives_nothing_more, process.consumer.book.open_count)
    assert not process.consumer.finished()
    process.clock.advance(LEASES.drain_timeout_s + 1)
    assert not process.consumer.finished()


def test_a_stopped_job_ends_at_the_latest_after_its_drain_timeout(process: _Process) -> None:
    """Whatever is in hand or whatever SQS does not answer; it comes back by itself."""
    process.receive(_message("a"))
    process.take()
    process.clock.advance(1000)
    process.stop.set()
    assert not process.consumer.finished()
    process.clock.advance(LEASES.drain_timeout_s)
    assert not process.consumer.finished()
    process.clock.advance(0.1)

    assert process.consumer.finished()


def test_the_source_does_not_end_before_what_was_settled_is_told(process: _Process) -> None:
    """Downstream would miss the last deliveries."""
    process.receive(_message("a"))
    [outcome] = process.take()
    process.stop.set()
    process.settle(outcome)
    process.consumer.acknowledger.flush()
    assert (0, True, False) == (
        process.consumer.book.open_count,
        process.consumer.busy,
        process.consumer.finished(),
    )
    assert 1 == len(list(process.consumer.acknowledger.settled()))

    assert process.consumer.finished()


# ── drain


@pytest.fixture
def drain() -> _Process:
    """One that ends by itself after 20 quiet seconds."""
    return _Process(idle_s=20)


def test_a_drain_ends_when_every_receive_came_back_empty_for_long_enough(drain: _Process) -> None:
    """Not a second before."""
    assert not drain.pass_idle(19)
    assert drain.pass_idle(3)
    assert drain.consumer.finished()


def test_a_job_that_is_no_drain_goes_on(process: _Process) -> None:
    """However quiet its queue."""
    assert not process.pass_idle(1000)


def test_a_drain_that_was_not_answered_has_not_drained(drain: _Process) -> None:
    """It takes an empty receive, and not only that nothing came."""
    drain.clock.advance(100)
    drain.take()

    assert not drain.pass_idle(0)


def test_a_drain_goes_on_while_the_queue_knows_of_more(drain: _Process, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of a listing that takes its time is not the end of it."""
    monkeypatch.setattr(drain.desk, "has_more", lambda: True)

    assert not drain.pass_idle(1000)


def test_a_drain_counts_from_the_last_message(drain: _Process) -> None:
    """And waits for what is open."""
    drain.pass_idle(15)
    drain.receive(_message("a"))
    [outcome] = drain.take()
    assert not drain.pass_idle(100)
    drain.settle(outcome)
    drain.consumer.acknowledger.flush()
    assert not drain.pass_idle(5)
    drain.send()

    assert drain.pass_idle(5)


def test_a_drain_ends_only_after_its_own_returns_came_back(drain: _Process) -> None:
    """And 20 quiet seconds more: they are work of this drain."""
    drain.receive(_message("a", receives=4))
    [outcome] = drain.take()
    drain.settle(outcome, Door.RETURNED, "processor_error")
    drain.send()
    delay_s = drain.desk.returned[0]["handle-a"]
    assert not drain.pass_idle(delay_s + 19)

    assert drain.pass_idle(5)


def test_a_drain_ends_only_after_what_a_lost_answer_may_have_hidden_came_back(drain: _Process) -> None:
    """SQS answers a connection that is gone, and hides the messages for a visibility timeout."""
    drain.consumer.receive_failed(drain.consumer.reserve())
    assert not drain.pass_idle(60 + 19)

    assert drain.pass_idle(5)


def test_a_drain_does_not_end_during_an_outage(drain: _Process) -> None:
    """What went back is not done."""
    drain.begin_outage()
    assert not drain.pass_idle(100)
    drain.consumer.guard.succeeded(SOURCE)

    assert drain.pass_idle(25)


@pytest.mark.parametrize("ends", [{"idle_s": 20}, {"max_messages": 100}])
def test_a_job_that_is_to_end_waits_for_the_end_of_an_outage_but_not_for_ever(
    ends: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What is held goes back. Objects that are forbidden for ever look like an outage, and it would never end."""
    process = _Process(**ends)
    process.begin_outage()
    process.receive(_message("a"))
    [outcome] = process.take()
    process.fail(outcome)
    process.clock.advance(OUTAGE_PATIENCE_S - 1.5)
    [again] = process.take()
    process.fail(again)
    assert [] == process.desk.returned

    process.clock.advance(1)
    assert [] == process.take()

    assert [{"handle-a": 0}] == process.desk.returned
    assert 0 == process.consumer.reserve()
    assert (1, 0) == (EVENTS.counts()[GAVE_UP], process.consumer.book.open_count)
    assert "the outage lasts for over 600 s: giving back what is left" in caplog.messages


@pytest.mark.parametrize("ends", [{"idle_s": 20}, {"max_messages": 100}])
def test_a_job_that_is_to_end_does_not_wait_for_ever_for_a_queue_that_fails(ends: dict[str, Any]) -> None:
    """It was deleted, or a listing is denied from some page on; one answer begins the time anew."""
    process = _Process(**ends)
    for _ in range(2):
        process.consumer.receive_failed(process.consumer.reserve())
        process.clock.advance(OUTAGE_PATIENCE_S - 1)
        process.take()
        assert not process.consumer.has_given_up
        process.receive()
    process.consumer.receive_failed(process.consumer.reserve())
    process.clock.advance(OUTAGE_PATIENCE_S + 1)

    process.take()

    assert process.consumer.has_given_up
    assert 1 == EVENTS.counts()[GAVE_UP]


def test_a_job_without_end_waits_for_as_long_as_an_outage_lasts(process: _Process) -> None:
    """It has nothing better to do."""
    process.begin_outage()
    process.consumer.receive_failed(process.consumer.reserve())
    process.clock.advance(100 * OUTAGE_PATIENCE_S)
    process.receive(_message("a"))

    assert ["a"] == [outcome.delivery.message_id for outcome in process.take()]


def test_a_drain_does_not_end_while_another_poll_is_under_way(drain: _Process) -> None:
    """It may bring something."""
    other = drain.consumer.reserve()
    assert not drain.pass_idle(100)
    drain.receive(reserved=other)

    assert drain.pass_idle(1)


@pytest.fixture
def replay() -> _Process:
    """One that ends as soon as its queue, which has an end, has nothing left."""
    return _Process(idle_s=0)


def test_a_replay_ends_with_the_first_receive_that_finds_nothing_left(replay: _Process) -> None:
    """Not before it has asked, and at once then."""
    assert not replay.pass_idle(0)
    assert replay.pass_idle(1)


def test_a_replay_ends_only_after_its_own_returns_came_back(replay: _Process) -> None:
    """However often a receive finds nothing meanwhile."""
    replay.receive(_message("a", receives=3))
    [outcome] = replay.take()
    replay.settle(outcome, Door.RETURNED, "processor_error")
    replay.send()
    assert not replay.pass_idle(replay.desk.returned[0]["handle-a"])
    replay.clock.advance(1)
    replay.receive(_message("a", receives=4))
    [again] = replay.take()
    assert not replay.pass_idle(100)
    replay.settle(again)
    replay.send()

    assert replay.pass_idle(1)


def test_a_receive_that_began_before_a_return_was_due_does_not_end_a_replay(replay: _Process) -> None:
    """It may have looked a moment too early."""
    replay.receive(_message("a"))
    [outcome] = replay.take()
    replay.settle(outcome, Door.RETURNED, "processor_error")
    replay.send()
    reserved, asked_at = replay.consumer.reserve(), replay.clock()
    replay.clock.advance(replay.desk.returned[0]["handle-a"] + 1)
    replay.take()

    replay.consumer.admit([], reserved=reserved, asked_at=asked_at)

    assert not replay.pass_idle(0)
    assert replay.pass_idle(1)


def test_what_was_received_is_as_old_as_it_is_told_to_be() -> None:
    """So the dead letters of two replays are the same."""
    replay = _Process(idle_s=0, received_at=RECEIVED_AT)
    replay.receive(_message("a"))

    assert [RECEIVED_AT] == [outcome.delivery.received_at for outcome in replay.take()]


# ── so many messages and no more


def test_no_more_messages_are_received_than_were_asked_for() -> None:
    """The quota is kept while several polls are under way, and given back where they brought less."""
    process = _Process(max_messages=12)
    first, second, third = (process.consumer.reserve() for _ in range(3))
    assert (10, 2, 0) == (first, second, third)
    process.receive(*(_message(f"{number}") for number in range(7)), reserved=first)
    process.consumer.receive_failed(second)

    assert 5 == process.consumer.reserve()


def test_the_job_ends_when_its_quota_is_used_up_and_settled() -> None:
    """Not while a poll is under way that may bring less than it asked for."""
    process = _Process(max_messages=2)
    reserved = process.consumer.reserve()
    assert 0 == process.consumer.reserve()
    assert not process.consumer._pollers.closed
    process.receive(_message("a"), _message("b"), reserved=reserved)
    process.consumer.reserve()
    assert process.consumer._pollers.closed
    for outcome in process.take():
        process.settle(outcome)
    assert not process.consumer.finished()
    process.send()

    assert process.consumer.finished()


def test_the_last_acknowledgement_of_a_job_does_not_wait_for_more() -> None:
    """Nothing comes that would fill its batch. Before, others are still to come."""
    process = _Process(max_messages=2)
    process.receive(_message("a"), _message("b"))
    first, second = process.take()
    process.consumer.reserve()  # the quota is used up, and the pollers end

    process.settle(first)
    assert [] == process.desk.deleted
    process.settle(second)
    assert [["handle-a", "handle-b"]] == process.desk.deleted


# ── the end


def test_at_the_end_what_is_in_hand_counts_as_returned_and_what_waits_goes_back(process: _Process) -> None:
    """The balance is kept; the first comes back by itself when its lease ends, the others at once."""
    process.receive(*(_message(name, size=9_999) for name in "abc"))
    process.take()
    process.consumer.close()

    assert [{"handle-b": 0, "handle-c": 0}] == process.desk.returned
    assert "3 received = 0 stored + 0 ignored + 0 set aside + 3 returned" == EVENTS.summary()
    assert not process.consumer.book.open_leases()


def test_at_the_end_an_sqs_that_is_down_is_asked_once(process: _Process) -> None:
    """Its messages come back by themselves; what was stored is found stored then."""
    process.receive(_message("a", size=9_999), _message("b", size=9_999))
    [outcome] = process.take()
    process.settle(outcome)
    process.desk.answers = [DOWN, DOWN]
    process.consumer.acknowledger._closed.set()
    process.consumer.close()

    assert ([["handle-a"]], [{"handle-b": 0}]) == (process.desk.deleted, process.desk.returned)
    assert "2 received = 0 stored + 0 ignored + 0 set aside + 2 returned" == EVENTS.summary()


# ── its threads


class _Conveyor(Desk):
    """A queue of so many messages, each handed out once; empty receives wait for nothing but a moment."""

    def __init__(self, messages: list[Message]) -> None:
        super().__init__()
        self._messages = messages
        self._lock = threading.Lock()
        self._moment = threading.Event()

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        with self._lock:
            received, self._messages = self._messages[:max_messages], self._messages[max_messages:]
        if not received:
            self._moment.wait(0.01)
        return received


@pytest.mark.parametrize("stopped", [False, True])
def test_a_consumer_with_all_its_threads_deletes_everything_once_and_ends(stopped: bool) -> None:  # noqa: FBT001
    """Pollers, senders and heartbeat together; when it has finished nothing is open and no thread is left."""
    desk = _Conveyor([_message(f"{number:03}", keys=2) for number in range(300)])
    stop = threading.Event()
    leases = LeaseSettings(max_in_flight=40)
    consumer = Consumer(desk, ReceiveSettings(QUEUE_URL, max_messages=300), leases, stop=stop)
    consumer.start()
    consumer.start()
    told = []
    while not consumer.finished():
        for outcome in consumer.take(0.01):
            consumer.settle(outcome.delivery, outcome.index, Door.STORED, kind="stored", bucket=None)
        told += consumer.acknowledger.settled()
        assert consumer.book.open_count <= 40
        if stopped and told:
            stop.set()
    consumer.close()
    deleted = [handle for batch in desk.deleted for handle in batch]
    returned = [handle for batch in desk.returned for handle in batch]

    assert len(told) == len({*deleted, *returned}) == len(deleted) + len(returned) == EVENTS.counts()["received"]
    assert stopped or sorted(deleted) == [f"handle-{number:03}" for number in range(300)]
    threads = [*consumer._pollers._threads, consumer._heartbeat._thread]
    for thread in threads:
        thread.join(JOIN_S)
    assert not any(thread.is_alive() for thread in threads)


def test_a_second_copy_of_the_step_does_not_find_the_pollers_not_started(process: _Process) -> None:
    """It would think that they have ended, and end its source at once."""
    begun, gate, second_started = threading.Event(), threading.Event(), threading.Event()

    def start_slowly() -> None:
        begun.set()
        assert gate.wait(JOIN_S)

    def start_second() -> None:
        process.consumer.start()
        second_started.set()

    process.consumer._pollers.start = start_slowly  # type: ignore[method-assign]
    starters = [threading.Thread(target=process.consumer.start), threading.Thread(target=start_second)]
    starters[0].start()
    assert begun.wait(JOIN_S)
    starters[1].start()
    assert not second_started.is_set()
    gate.set()
    for starter in starters:
        starter.join(JOIN_S)
    process.consumer.close()

    assert second_started.is_set()


# ── what is measured


def test_the_wait_in_the_queue_is_that_of_first_receives(process: _Process) -> None:
    """What was returned waited because we said so."""
    hour, day = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) - timedelta(days=1)
    process.receive(a_message(message_id="again", sent_at=day, receive_count=2))
    again = EVENTS.tally()["longest_wait_s"]
    process.receive(a_message(message_id="a", sent_at=hour), a_message(message_id="b", sent_at=datetime.now(UTC)))

    assert None is again
    assert 3600 <= (EVENTS.tally()["longest_wait_s"] or 0) < 7200


def test_a_receive_is_timed_from_the_question_to_the_answer(process: _Process) -> None:
    """The long poll included; an empty one, too."""
    asked_at = process.clock()
    process.clock.advance(10)
    process.consumer.admit([], reserved=process.consumer.reserve(), asked_at=asked_at)

    assert 10 == EVENTS.tally()["histograms"]["receive"]["sum"]
    assert process.clock() == process.consumer.answered_at


def test_what_was_never_started_is_returned_as_such(process: _Process) -> None:
    """Beside what was in hand when the process ended."""
    process.receive(_message("in hand", size=9_000), _message("waits", size=9_000))
    process.take()
    process.stop.set()
    process.take()
    process.send()
    process.consumer.close()

    assert {"returned": 2, "returned/not_started": 1, "returned/unfinished": 1} == {
        event: count for event, count in EVENTS.counts().items() if event.startswith("returned")
    }
