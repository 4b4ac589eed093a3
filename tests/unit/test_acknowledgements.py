"""Deletes and returns: what is sent, what is tried again, and what is said of it."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import pytest

from tests.builders import QUEUE_URL, RECEIVED_AT, SENT_AT, a_delivery
from tests.by_hand import BatcherByHand, Desk, Waits
from tests.fakes import FakeClock
from transforms.acknowledgements import MAX_REFUSALS, Acknowledger
from transforms.events import EVENTS
from transforms.failures import QueueError
from transforms.heartbeats import Heartbeat
from transforms.leases import LeaseBook
from transforms.records import Door, Settled
from transforms.settings import LeaseSettings

if TYPE_CHECKING:
    from transforms.leases import Lease

JOIN_S = 10
BUSY = "InternalError"


class _Office:
    """An acknowledger that is driven by hand, and what it works with."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.desk = Desk()
        self.book = LeaseBook(LeaseSettings(visibility_timeout_s=60), clock=self.clock)
        self.heartbeat = Heartbeat(self.desk, self.book)
        self.acknowledger = Acknowledger(self.desk, self.book, self.heartbeat, batcher=BatcherByHand)
        self.waits = self.acknowledger._closed = Waits()

    def leaving(self, message_id: str, *, door: Door = Door.STORED, kind: str = "stored") -> Lease:
        """Let a message come, be worked on, and reach its door."""
        delivery = a_delivery(message_id=message_id, receipt_handle=f"handle-{message_id}")
        lease = self.book.open(delivery, size=1, asked_at=self.clock())
        assert lease is not None
        self.book.start(lease)
        assert lease is self.book.settle(delivery, 0, door, kind=kind, bucket="source-bucket")
        return lease

    def acknowledge(self, *message_ids: str) -> list[Lease]:
        """Let messages be deleted."""
        leases = [self.leaving(message_id) for message_id in message_ids]
        for lease in leases:
            self.acknowledger.acknowledge(lease)
        self.acknowledger.flush()
        return leases

    def give_back(self, *message_ids: str, delay_s: int = 20) -> list[Lease]:
        """Let messages be returned."""
        leases = [self.leaving(message_id, door=Door.RETURNED, kind="processor_error") for message_id in message_ids]
        for lease in leases:
            self.acknowledger.give_back(lease, delay_s=delay_s, reason="processor_error")
        self.acknowledger.flush()
        return leases

    def doors(self) -> list[tuple[str, Door]]:
        """Say what became of the messages, as the last step hears it."""
        return [(settled.message_id, settled.door) for settled in self.acknowledger.settled()]


@pytest.fixture
def office() -> _Office:
    """Nothing has happened yet."""
    EVENTS.reset()
    return _Office()


# ── deletes


def test_deletes_go_in_batches_of_ten(office: _Office) -> None:
    """SQS takes no more at once."""
    office.acknowledge(*(f"{number:02}" for number in range(12)))

    assert [[f"handle-{n:02}" for n in range(10)], ["handle-10", "handle-11"]] == office.desk.deleted
    assert 0 == office.book.open_count
    assert {"received": 12, "stored": 12} == EVENTS.counts()


def test_a_message_is_open_until_sqs_took_its_delete(office: _Office) -> None:
    """The source must not end before, and nobody is told."""
    lease = office.leaving("a")
    office.acknowledger.acknowledge(lease)
    assert (1, False) == (office.book.open_count, office.acknowledger.has_settled)

    office.acknowledger.flush()

    assert (0, True) == (office.book.open_count, office.acknowledger.has_settled)


def test_what_became_of_a_delivery_is_said_once_and_in_full(office: _Office) -> None:
    """The output of the whole flow."""
    office.acknowledge("a")
    settled = list(office.acknowledger.settled())

    assert 1 == len(settled)
    assert ("a", QUEUE_URL, Door.STORED) == (settled[0].message_id, settled[0].queue_url, settled[0].door)
    assert ({"stored": 1}, ("source-bucket",)) == (settled[0].records, settled[0].buckets)
    assert (1, SENT_AT, RECEIVED_AT) == (settled[0].receive_count, settled[0].sent_at, settled[0].received_at)
    assert [] == list(office.acknowledger.settled())


def test_what_another_copy_of_the_step_told_is_no_error(office: _Office) -> None:
    """It was there when this copy looked."""

    class _Taken(deque[Settled]):
        def __bool__(self) -> bool:
            return True

    office.acknowledger._settled = _Taken()

    assert [] == list(office.acknowledger.settled())


def test_the_newest_handle_is_the_one_that_deletes(office: _Office) -> None:
    """The older one may no longer do."""
    lease = office.leaving("a")
    office.acknowledger.acknowledge(lease)
    copy = a_delivery(message_id="a", receipt_handle="newer")
    assert None is office.book.open(copy, size=1, asked_at=office.clock())
    office.acknowledger.flush()

    assert [["newer"]] == office.desk.deleted


def test_failed_entries_of_a_batch_delete_are_tried_again(office: _Office) -> None:
    """Those alone; the others are done."""
    office.desk.answers = [{"b": BUSY}, {"b": BUSY}, {}]
    office.acknowledge("a", "b", "c")

    assert [["handle-a", "handle-b", "handle-c"], ["handle-b"], ["handle-b"]] == office.desk.deleted
    assert [("a", Door.STORED), ("c", Door.STORED), ("b", Door.STORED)] == office.doors()
    assert 2 == len(office.waits.timeouts_s)


def test_an_expired_handle_counts_as_deleted(office: _Office) -> None:
    """The message comes again, and its result is found stored."""
    office.desk.answers = [{"a": Desk.EXPIRED}]
    office.acknowledge("a")

    assert [["handle-a"]] == office.desk.deleted
    assert [("a", Door.STORED)] == office.doors()
    assert 0 == office.book.open_count


@pytest.mark.parametrize("error", [QueueError("SQS is down"), RuntimeError("nobody foresaw this")])
def test_a_request_that_fails_as_a_whole_is_tried_again_for_as_long_as_it_takes(
    office: _Office, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """With growing delays; nobody is told that the messages are gone meanwhile, and no thread dies of it."""
    office.desk.answers = [error] * 20
    office.acknowledge("a", "b")
    delays_s = [delay for delay in office.waits.timeouts_s if delay is not None]

    assert [["handle-a", "handle-b"]] * 21 == office.desk.deleted
    assert 20 == len(delays_s)
    assert delays_s[0] <= 0.2
    assert 1 < max(delays_s) <= 20
    assert f"SQS did not take 2 acknowledgements, trying again: {error}" == caplog.messages[0]
    assert [("a", Door.STORED), ("b", Door.STORED)] == office.doors()


def test_an_entry_that_is_refused_for_ever_holds_nobody_up(office: _Office, caplog: pytest.LogCaptureFixture) -> None:
    """Its message comes back by itself; the thread that would insist is needed for others."""
    office.desk.answers = [{"a": BUSY}] * 100
    office.acknowledge("a")

    assert MAX_REFUSALS == len(office.desk.deleted)
    assert 0 == office.book.open_count
    assert ["SQS refuses message a (InternalError): it comes back by itself"] == caplog.messages


@pytest.mark.parametrize("lost", [True, False])
def test_a_delete_after_the_end_of_our_lease_is_a_possible_duplicate(office: _Office, lost: bool) -> None:  # noqa: FBT001
    """SQS usually answers success for an old handle; whoever received the message meanwhile works on it, too."""
    lease = office.leaving("a")
    lease.lost = lost
    office.clock.advance(0 if lost else 61)
    office.acknowledger.acknowledge(lease)
    office.acknowledger.flush()

    assert {"received": 1, "possible_duplicates": 1, "stored": 1} == EVENTS.counts()


def test_a_delete_within_our_lease_is_none(office: _Office) -> None:
    """Up to its last moment."""
    lease = office.leaving("a")
    office.clock.advance(60)
    office.acknowledger.acknowledge(lease)
    office.acknowledger.flush()

    assert {"received": 1, "stored": 1} == EVENTS.counts()


# ── returns


def test_returns_go_in_batches_each_with_its_own_delay(office: _Office) -> None:
    """A message that came often waits longer."""
    for message_id, delay_s in [("a", 10), ("b", 0), ("c", 900)]:
        lease = office.leaving(message_id, door=Door.RETURNED, kind="forbidden")
        office.acknowledger.give_back(lease, delay_s=delay_s, reason="forbidden")
    office.acknowledger.flush()

    assert [{"handle-a": 10, "handle-b": 0, "handle-c": 900}] == office.desk.returned
    assert [("a", Door.RETURNED), ("b", Door.RETURNED), ("c", Door.RETURNED)] == office.doors()
    assert {"received": 3, "returned": 3, "returned/forbidden": 3, "given_back": 3} == EVENTS.counts()


def test_failed_entries_of_a_batch_of_returns_are_tried_again_with_their_own_delays(office: _Office) -> None:
    """Not with those of their neighbours."""
    office.desk.answers = [{"b": BUSY}, {}]
    for message_id, delay_s in [("a", 10), ("b", 20)]:
        lease = office.leaving(message_id, door=Door.RETURNED, kind="forbidden")
        office.acknowledger.give_back(lease, delay_s=delay_s, reason="forbidden")
    office.acknowledger.flush()

    assert [{"handle-a": 10, "handle-b": 20}, {"handle-b": 20}] == office.desk.returned


def test_a_return_is_not_told_before_sqs_took_it(office: _Office) -> None:
    """At the end of a job it may never have been."""
    office.waits.set()
    office.desk.answers = [QueueError("SQS is down")]
    office.give_back("a")

    assert {"received": 1} == EVENTS.counts()
    assert (1, False) == (office.book.open_count, office.acknowledger.has_settled)


def test_a_returns_delay_counts_from_when_sqs_took_it(office: _Office) -> None:
    """A drain that counted from the decision would end before the message is visible again."""
    office.desk.answers = [QueueError("SQS is down")] * 3
    office.desk.meanwhile = lambda: office.clock.advance(15)
    started = office.clock()
    office.give_back("a", delay_s=20)

    assert started + 4 * 15 + 20 == office.acknowledger.returned_until


def test_a_return_that_sqs_does_not_take_is_over_when_its_lease_is(office: _Office) -> None:
    """The message is visible by then; insisting would make its next receive a copy, and cost it one more."""
    office.desk.answers = [QueueError("SQS is down")] * 100
    office.desk.meanwhile = lambda: office.clock.advance(25)
    started = office.clock()
    office.give_back("a", delay_s=20)

    assert 3 == len(office.desk.returned)
    assert (0, started + 3 * 25) == (office.book.open_count, office.acknowledger.returned_until)
    assert [("a", Door.RETURNED)] == office.doors()


def test_a_return_is_over_when_its_message_is_received_again(office: _Office) -> None:
    """It would make the message visible while it is worked on; the account has both receives."""
    office.desk.answers = [QueueError("SQS is down")] * 100
    delivery = a_delivery(message_id="a", receipt_handle="handle-2")
    office.desk.meanwhile = lambda: office.book.open(delivery, size=1, asked_at=office.clock())
    office.give_back("a", delay_s=20)

    assert [{"handle-a": 20}] == office.desk.returned
    assert [("a", Door.RETURNED)] == office.doors()
    assert ["handle-2"] == [lease.receipt_handle for lease in office.book.open_leases()]


def test_a_return_with_a_short_delay_does_not_hide_one_with_a_long_delay(office: _Office) -> None:
    """The last of them counts."""
    started = office.clock()
    office.give_back("a", delay_s=900)
    office.give_back("b", delay_s=10)

    assert started + 900 == office.acknowledger.returned_until


def test_a_return_is_no_possible_duplicate(office: _Office) -> None:
    """Nothing was deleted."""
    lease = office.leaving("a", door=Door.RETURNED, kind="forbidden")
    lease.lost = True
    office.acknowledger.give_back(lease, delay_s=10, reason="forbidden")
    office.acknowledger.flush()

    assert {"received": 1, "returned": 1, "returned/forbidden": 1, "given_back": 1} == EVENTS.counts()


def test_a_return_waits_for_the_extension_that_is_under_way(office: _Office) -> None:
    """Or the extension would overwrite its delay."""
    with office.heartbeat._sending:
        returning = threading.Thread(target=office.give_back, args=("a",))
        returning.start()
        early = list(office.desk.returned)
    returning.join(JOIN_S)

    assert not returning.is_alive()
    assert [] == early
    assert [{"handle-a": 20}] == office.desk.returned


# ── the end


def test_at_the_end_everything_is_sent_once(office: _Office) -> None:
    """Both kinds; what SQS does not take then comes back by itself."""
    deleted, given_back = office.leaving("a"), office.leaving("b", door=Door.RETURNED)
    office.acknowledger.acknowledge(deleted)
    office.acknowledger.give_back(given_back, delay_s=0, reason="not started")
    office.desk.answers = [QueueError("SQS is down"), QueueError("SQS is down")]
    office.acknowledger.close()

    assert ([["handle-a"]], [{"handle-b": 0}]) == (office.desk.deleted, office.desk.returned)
    assert [deleted, given_back] == office.book.open_leases()


def test_what_was_accounted_for_at_the_end_is_not_counted_again(office: _Office) -> None:
    """An answer may come after the job has counted its message among those that come back."""
    lease = office.leaving("a")
    office.desk.meanwhile = lambda: office.book.close(lease)
    office.acknowledger.acknowledge(lease)
    office.acknowledger.flush()

    assert {"received": 1, "returned": 1, "returned/unfinished": 1} == EVENTS.counts()
    assert not office.acknowledger.has_settled


def test_acknowledgements_are_sent_by_its_own_threads(office: _Office) -> None:
    """The step that settles a record never waits for SQS."""
    acknowledger = Acknowledger(office.desk, office.book, office.heartbeat)
    sent = threading.Event()
    office.desk.meanwhile = sent.set
    acknowledger.acknowledge(office.leaving("a"))
    assert sent.wait(JOIN_S)
    acknowledger.close()

    assert [["handle-a"]] == office.desk.deleted
    assert [("a", Door.STORED)] == [(settled.message_id, settled.door) for settled in acknowledger.settled()]
