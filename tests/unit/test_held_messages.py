"""Messages that are held are nobody else's, and at the end, however it comes, visible at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.command import until
from tests.fakes import FakeClock, FakeQueue
from transforms.failures import QueueError
from transforms.held_messages import GIVE_BACK_ATTEMPTS, POLL_ATTEMPTS, QUIET_POLLS, HeldMessages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transforms.queues import Message, Receipt, Refusal

VISIBILITY_S = 60


class _Queue(FakeQueue):
    """One that can be down, and counts."""

    def __init__(self, clock: FakeClock, messages: int = 3) -> None:
        super().__init__(clock=clock)
        self.down: list[QueueError] = []
        self.sizes: list[int] = []
        for number in range(messages):
            self.send(f"body {number}")

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        self.sizes.append(max_messages)
        self._fail()
        return super().receive(max_messages=max_messages, wait_s=wait_s, visibility_timeout_s=visibility_timeout_s)

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        self._fail()
        return super().change_visibility(receipts, timeouts_s)

    def visible(self) -> int:
        """How many messages another one could receive now."""
        return int(self.attributes()["ApproximateNumberOfMessages"])

    def _fail(self) -> None:
        if self.down:
            raise self.down.pop()


@pytest.fixture
def clock() -> FakeClock:
    """Time, in the test's hand."""
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> _Queue:
    """Three messages."""
    return _Queue(clock)


@pytest.fixture
def stop() -> threading.Event:
    """A request to stop."""
    return threading.Event()


@pytest.fixture
def held(queue: _Queue, stop: threading.Event) -> HeldMessages:
    """Nothing is held yet; no pause takes time."""
    return HeldMessages(queue, visibility_timeout_s=VISIBILITY_S, stop=stop, pause=lambda _: None)


def _bodies(held: HeldMessages, most: int = 100) -> list[str]:
    return [message.body for message in held.receive(most)]


def test_every_message_is_received_once_until_the_queue_is_quiet(held: HeldMessages, queue: _Queue) -> None:
    """And all are hidden then."""
    assert ["body 0", "body 1", "body 2"] == _bodies(held)
    assert [10] * (1 + QUIET_POLLS) == queue.sizes
    assert 0 == queue.visible()


def test_no_more_are_received_than_asked_for(held: HeldMessages, clock: FakeClock) -> None:
    """Each costs a receive."""
    queue = _Queue(clock, messages=30)
    held = HeldMessages(queue, visibility_timeout_s=VISIBILITY_S, stop=threading.Event())

    assert 12 == len(_bodies(held, most=12))
    assert [10, 2] == queue.sizes
    assert 18 == queue.visible()


def test_a_message_that_is_received_again_is_not_yielded_again(held: HeldMessages, queue: _Queue) -> None:
    """SQS delivers twice at times; the newer receipt is good for giving it back."""
    received = []
    for message in held.receive(100):
        received.append(message.message_id)
        queue.show("message-1")
    held.give_back()

    assert ["message-1", "message-2", "message-3"] == received
    assert 3 == queue.visible()


def test_messages_that_always_come_again_do_not_make_it_endless(held: HeldMessages, queue: _Queue) -> None:
    """Nothing new is as quiet as nothing."""

    class _Unhidden(_Queue):
        def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
            return super().receive(max_messages=max_messages, wait_s=wait_s, visibility_timeout_s=0)

    queue = _Unhidden(FakeClock())
    held = HeldMessages(queue, visibility_timeout_s=VISIBILITY_S, stop=threading.Event())

    assert 3 == len(_bodies(held))
    assert 1 + QUIET_POLLS == len(queue.sizes)


def test_an_extension_hides_what_is_held_for_longer(held: HeldMessages, queue: _Queue, clock: FakeClock) -> None:
    """As often as it takes."""
    _bodies(held)
    for _ in range(3):
        clock.advance(VISIBILITY_S - 1)
        held.extend()

    assert 0 == queue.visible()


def test_a_failed_extension_is_tried_again(
    held: HeldMessages, queue: _Queue, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """There are three in a visibility timeout."""
    _bodies(held)
    queue.down = [QueueError("503")]
    held.extend()
    queue.refuse_next(1)
    held.extend()
    clock.advance(VISIBILITY_S - 1)
    held.extend()
    clock.advance(VISIBILITY_S - 1)

    assert 0 == queue.visible()
    assert ["3 messages could not be held for longer yet: 503"] == caplog.messages


def test_what_is_no_longer_held_is_told_and_forgotten(
    held: HeldMessages, queue: _Queue, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else may have it by now, and it is not ours to give back."""
    _bodies(held)
    clock.advance(VISIBILITY_S + 1)
    held.extend()
    others = queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=VISIBILITY_S)
    held.give_back()

    assert "message message-1 is visible again: it was not held in time" == caplog.messages[0]
    assert 3 == len(others)
    assert 0 == queue.visible()


def test_at_the_end_all_are_visible_at_once(held: HeldMessages, clock: FakeClock, stop: threading.Event) -> None:
    """More than a request takes."""
    queue = _Queue(clock, messages=25)
    held = HeldMessages(queue, visibility_timeout_s=VISIBILITY_S, stop=stop)
    with held.kept():
        assert 25 == len(_bodies(held))
        assert 0 == queue.visible()

    assert 25 == queue.visible()
    assert 0 == held.not_given_back


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_ends_it_the_same_way(held: HeldMessages, queue: _Queue, error: type[BaseException]) -> None:
    """Whatever it is."""

    def fail() -> None:
        with held.kept():
            _bodies(held)
            raise error

    with pytest.raises(error):
        fail()

    assert 3 == queue.visible()


def test_a_stop_makes_all_visible_though_somebody_still_works_on_one(
    held: HeldMessages, queue: _Queue, stop: threading.Event
) -> None:
    """A request for an object may hang for half a minute."""
    with held.kept():
        _bodies(held)
        stop.set()

        assert until(lambda: 3 == queue.visible())


def test_a_stop_waits_for_the_poll_under_way_lest_it_takes_what_goes_back(stop: threading.Event) -> None:
    """Each message would cost a receive more."""

    class _StopsWithin(_Queue):
        def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
            if len(self.sizes) == 1:
                stop.set()
                assert not until(lambda: self.visible() > 0, timeout_s=0.5)
            return super().receive(max_messages=max_messages, wait_s=wait_s, visibility_timeout_s=visibility_timeout_s)

    queue = _StopsWithin(FakeClock())
    held = HeldMessages(queue, visibility_timeout_s=VISIBILITY_S, stop=stop)
    with held.kept():
        assert 3 == len(_bodies(held))
    again = queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=0)

    assert [2, 2, 2] == [message.receive_count for message in again]


def test_after_a_stop_nothing_more_is_received(held: HeldMessages, queue: _Queue, stop: threading.Event) -> None:
    """Not even asked for."""
    stop.set()

    assert [] == _bodies(held)
    assert [] == queue.sizes


def test_what_a_poll_under_way_brings_after_the_end_goes_straight_back(held: HeldMessages, queue: _Queue) -> None:
    """SQS has hidden it already."""
    held.give_back()
    received = queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=VISIBILITY_S)
    held.add(received)

    assert 3 == queue.visible()


def test_after_the_end_nothing_is_extended(stop: threading.Event) -> None:
    """An extension that has begun stops where it is: it must not overtake the return."""
    asked: list[int] = []

    class _EndsWithin(_Queue):
        def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
            asked.append(timeouts_s[0])
            refused = super().change_visibility(receipts, timeouts_s)
            if len(asked) == 1:
                held.give_back()
            return refused

    queue = _EndsWithin(FakeClock(), messages=25)
    held = HeldMessages(queue, visibility_timeout_s=VISIBILITY_S, stop=stop)
    assert 25 == len(_bodies(held))
    held.extend()

    assert [VISIBILITY_S, 0, 0, 0] == asked
    assert 25 == queue.visible()


def test_a_thread_extends_while_it_lasts(queue: _Queue, stop: threading.Event) -> None:
    """Several times in a visibility timeout."""
    extended = threading.Semaphore(0)

    class _Watched(_Queue):
        def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
            if timeouts_s[0]:
                extended.release()
            return super().change_visibility(receipts, timeouts_s)

    held = HeldMessages(_Watched(FakeClock()), visibility_timeout_s=1, stop=stop)
    before = threading.active_count()
    with held.kept():
        _bodies(held)
        assert extended.acquire(timeout=30)
        assert extended.acquire(timeout=30)

    assert until(lambda: threading.active_count() <= before)


def test_what_sqs_does_not_take_back_is_asked_again(
    held: HeldMessages, queue: _Queue, caplog: pytest.LogCaptureFixture
) -> None:
    """The whole request, or some of it."""
    _bodies(held)
    queue.down = [QueueError("503")]
    queue.refuse_next(2)
    held.give_back()

    assert 3 == queue.visible()
    assert 0 == held.not_given_back
    assert ["3 messages could not be given back yet: 503"] == caplog.messages[-1:]


def test_what_cannot_be_given_back_is_counted(held: HeldMessages, queue: _Queue) -> None:
    """It is visible when its visibility timeout ends."""
    _bodies(held)
    queue.down = [QueueError("503")] * GIVE_BACK_ATTEMPTS
    held.give_back()
    held.give_back()

    assert 3 == held.not_given_back
    assert 0 == queue.visible()


class _NoWait(threading.Event):
    """No time passes while somebody waits for it."""

    def wait(self, _timeout: float | None = None) -> bool:
        return self.is_set()


def test_a_receive_that_fails_is_tried_again(queue: _Queue) -> None:
    """A hiccup of SQS ends nothing."""
    held = HeldMessages(queue, visibility_timeout_s=VISIBILITY_S, stop=_NoWait())
    queue.down = [QueueError("503")] * (POLL_ATTEMPTS - 1)

    assert 3 == len(_bodies(held))


def test_a_receive_that_fails_again_and_again_is_an_error(queue: _Queue) -> None:
    """Somebody waits for the end of this command."""
    held = HeldMessages(queue, visibility_timeout_s=VISIBILITY_S, stop=_NoWait())
    queue.down = [QueueError("503")] * POLL_ATTEMPTS

    with pytest.raises(QueueError):
        _bodies(held)


def test_a_receive_that_cannot_succeed_is_not_tried_again(held: HeldMessages, queue: _Queue) -> None:
    """Denied is denied."""
    queue.down = [QueueError("denied", permanent=True)] * 2

    with pytest.raises(QueueError, match="denied"):
        _bodies(held)
    assert 1 == len(queue.down)


def test_a_stop_ends_the_wait_for_another_try(stop: threading.Event) -> None:
    """And there is no other."""
    asked = []

    class _Down(_Queue):
        def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
            stop.set()
            asked.append(max_messages)
            raise QueueError("503")

    held = HeldMessages(_Down(FakeClock()), visibility_timeout_s=VISIBILITY_S, stop=stop)

    assert [] == _bodies(held)
    assert [10] == asked
