"""What is extended, when, and when a lease is lost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.builders import a_delivery
from tests.by_hand import QueueNobodyAsks, Waits
from tests.fakes import FakeClock
from transforms.events import EVENTS
from transforms.failures import QueueError
from transforms.heartbeats import Heartbeat
from transforms.leases import LeaseBook
from transforms.queues import Receipt, Refusal
from transforms.records import Door
from transforms.settings import LeaseSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transforms.leases import Lease

JOIN_S = 10
VISIBILITY_S = 60


class _Extensions(QueueNobodyAsks):
    """A queue that notes extensions, and refuses as a test says."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.timeouts_s: set[int] = set()
        self.refused: list[Refusal] = []
        self.error: Exception | None = None
        self.meanwhile: Callable[[], object] = lambda: None

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        self.asked.append([receipt.message_id for receipt in receipts])
        self.timeouts_s.update(timeouts_s)
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return self.refused


class _Held:
    """A book of leases, and the heartbeat that holds them."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.book = LeaseBook(LeaseSettings(visibility_timeout_s=VISIBILITY_S), clock=self.clock)
        self.queue = _Extensions()
        self.heartbeat = Heartbeat(self.queue, self.book)

    def lease(self, message_id: str = "a") -> Lease:
        """Take a message in hand."""
        lease = self.book.open(a_delivery(message_id=message_id), size=1, asked_at=self.clock())
        assert lease is not None
        self.book.start(lease)
        return lease

    def settle(self, lease: Lease) -> None:
        """Let it leave."""
        assert lease is self.book.settle(lease.delivery, 0, Door.STORED, kind="stored", bucket=None)


@pytest.fixture
def held() -> Iterator[_Held]:
    """Nothing is held yet, and nothing was counted."""
    EVENTS.reset()
    yield _Held()
    EVENTS.reset()


def test_a_lease_is_extended_at_half_of_its_visibility_timeout(held: _Held) -> None:
    """From then on it has a whole one again."""
    lease = held.lease()
    held.clock.advance(29)
    held.heartbeat.beat()
    assert [] == held.queue.asked
    held.clock.advance(1)
    held.heartbeat.beat()
    held.heartbeat.beat()

    assert [["a"]] == held.queue.asked
    assert {VISIBILITY_S} == held.queue.timeouts_s
    assert held.clock() + VISIBILITY_S == lease.deadline
    assert {"received": 1, "leases_extended": 1} == EVENTS.counts()


def test_extensions_go_in_batches_of_ten(held: _Held) -> None:
    """SQS takes no more at once."""
    for number in range(23):
        held.lease(f"message-{number:02}")
    held.clock.advance(30)
    held.heartbeat.beat()

    assert [10, 10, 3] == [len(batch) for batch in held.queue.asked]
    assert 23 == len({message_id for batch in held.queue.asked for message_id in batch})


def test_a_refused_extension_loses_the_lease(held: _Held, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody else has the message; extending its old handle again and again would help nobody."""
    lost, kept = held.lease("a"), held.lease("b")
    held.queue.refused = [Refusal("a", "ReceiptHandleIsInvalid", expired=True)]
    held.clock.advance(30)
    held.heartbeat.beat()
    held.heartbeat.beat()

    assert (True, False) == (lost.lost, kept.lost)
    assert [["a", "b"]] == held.queue.asked
    assert {"received": 2, "leases_extended": 1, "leases_lost": 1} == EVENTS.counts()
    assert ["lease lost: message a is visible again while it is being worked on"] == caplog.messages


def test_an_extension_refused_for_another_reason_is_tried_again(held: _Held) -> None:
    """The handle is still good."""
    lease = held.lease()
    held.queue.refused = [Refusal("a", "InternalError", expired=False)]
    held.clock.advance(30)
    held.heartbeat.beat()
    assert not lease.lost
    held.queue.refused = []
    held.heartbeat.beat()

    assert held.clock() + VISIBILITY_S == lease.deadline


@pytest.mark.parametrize("error", [QueueError("SQS is down"), RuntimeError("nobody foresaw this")])
def test_an_extension_without_an_answer_is_tried_again_until_the_lease_is_over(held: _Held, error: Exception) -> None:
    """Only then is the message visible again; and no error ends the heartbeat."""
    lease = held.lease()
    held.queue.error = error
    held.clock.advance(59)
    held.heartbeat.beat()
    assert not lease.lost
    held.clock.advance(1)
    held.heartbeat.beat()

    assert lease.lost
    assert [["a"], ["a"]] == held.queue.asked
    assert {"received": 1, "leases_lost": 1} == EVENTS.counts()


def test_a_copy_that_comes_during_a_refused_extension_keeps_the_lease(held: _Held) -> None:
    """What was refused is the handle before."""
    lease = held.lease()
    held.clock.advance(30)
    held.queue.refused = [Refusal("a", "ReceiptHandleIsInvalid", expired=True)]
    copy = a_delivery(message_id="a", receipt_handle="newer")
    held.queue.meanwhile = lambda: held.book.open(copy, size=1, asked_at=held.clock())
    held.heartbeat.beat()

    assert not lease.lost
    assert "newer" == lease.receipt_handle


# ── leases that leave


def test_a_lease_that_is_leaving_is_not_extended(held: _Held) -> None:
    """Not even if it was due when the beat began."""
    for number in range(11):
        last = held.lease(f"message-{number:02}")
    held.clock.advance(30)
    held.queue.meanwhile = lambda: held.book.leave(last)
    held.heartbeat.beat()

    assert [[f"message-{number:02}" for number in range(10)]] == held.queue.asked


@pytest.mark.parametrize("error", [None, QueueError("SQS is down")])
def test_a_lease_deleted_while_its_extension_was_under_way_is_not_lost(held: _Held, error: Exception | None) -> None:
    """SQS refuses to extend what is gone: that is no reason to worry an operator."""
    lease = held.lease()
    held.clock.advance(60)
    held.queue.refused = [Refusal("a", "InvalidParameterValue", expired=True)]
    held.queue.error = error
    held.queue.meanwhile = lambda: held.settle(lease)
    held.heartbeat.beat()

    assert not lease.lost
    assert {"received": 1} == EVENTS.counts()


def test_an_extension_never_overwrites_a_returns_delay(held: _Held) -> None:
    """A return waits for the extension that is under way; no later one has its lease."""
    lease = held.lease()
    held.clock.advance(30)
    under_way, answer, awaited = threading.Event(), threading.Event(), threading.Event()

    def hold_up() -> None:
        under_way.set()
        assert answer.wait(JOIN_S)

    def give_back() -> None:
        held.heartbeat.await_extension()
        awaited.set()

    held.queue.meanwhile = hold_up
    beating = threading.Thread(target=held.heartbeat.beat)
    beating.start()
    assert under_way.wait(JOIN_S)
    held.settle(lease)
    returning = threading.Thread(target=give_back)
    returning.start()
    assert not awaited.is_set()
    answer.set()
    assert awaited.wait(JOIN_S)
    for thread in (beating, returning):
        thread.join(JOIN_S)
    held.clock.advance(60)
    held.heartbeat.beat()

    assert [["a"]] == held.queue.asked


def test_nothing_is_awaited_when_no_extension_is_under_way(held: _Held) -> None:
    """Returns are not slowed down."""
    held.heartbeat.await_extension()

    assert [] == held.queue.asked


# ── the thread


def test_it_beats_ten_times_in_a_visibility_timeout_until_it_is_closed(held: _Held) -> None:
    """Often enough for several tries between half of the timeout and its end."""
    held.lease()
    held.clock.advance(30)
    held.queue.refused = [Refusal("a", "InternalError", expired=False)]
    waits = held.heartbeat._closed = Waits(in_vain=lambda: len(waits.timeouts_s) > 3 and waits.set())
    held.heartbeat.start()
    held.heartbeat._thread.join(JOIN_S)

    assert not held.heartbeat._thread.is_alive()
    assert [["a"]] * 3 == held.queue.asked
    assert [VISIBILITY_S / 10] * 4 == waits.timeouts_s


def test_a_closed_heartbeat_ends_at_once(held: _Held) -> None:
    """Also before its first beat."""
    held.heartbeat.start()
    held.heartbeat.close()
    held.heartbeat._thread.join(JOIN_S)

    assert not held.heartbeat._thread.is_alive()
    assert [] == held.queue.asked
