"""A queue with an end behaves as SQS does, and tells when nothing is left."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.fakes import FakeClock
from transforms import finite_queue
from transforms.failures import QueueError
from transforms.finite_queue import FiniteQueue
from transforms.queues import Message, Receipt

if TYPE_CHECKING:
    from collections.abc import Iterator

SENT_AT = datetime(2026, 11, 24, tzinfo=UTC)


def _message(number: int) -> Message:
    return Message(f"m{number}", "", f"body {number}", 0, SENT_AT)


def _queue(clock: FakeClock, messages: Iterator[Message | None], stop: threading.Event | None = None) -> FiniteQueue:
    return FiniteQueue(messages, clock=clock, stop=stop or threading.Event())


def _receive(queue: FiniteQueue, most: int = 10, wait_s: int = 0) -> list[Message]:
    return queue.receive(max_messages=most, wait_s=wait_s, visibility_timeout_s=60)


def _receipt(message: Message) -> Receipt:
    return Receipt(message.message_id, message.receipt_handle)


def test_every_message_is_received_once_in_its_order() -> None:
    """At most as many as asked for, each counted."""
    queue = _queue(FakeClock(), map(_message, range(12)))

    received = [_receive(queue), _receive(queue), _receive(queue)]

    assert [10, 2, 0] == [len(messages) for messages in received]
    assert [f"m{number}" for number in range(12)] == [m.message_id for messages in received for m in messages]
    assert {1} == {m.receive_count for messages in received for m in messages}


def test_what_is_returned_comes_again_after_its_delay_with_one_receive_more() -> None:
    """And before what is new."""
    clock = FakeClock()
    queue = _queue(clock, map(_message, range(2)))
    (first,) = _receive(queue, most=1)

    assert [] == queue.change_visibility([_receipt(first)], [5])
    clock.advance(4)
    assert ["m1"] == [message.message_id for message in _receive(queue)]
    clock.advance(1)
    (again,) = _receive(queue)
    assert ("m0", 2, "body 0", SENT_AT) == (again.message_id, again.receive_count, again.body, again.sent_at)


def test_what_nobody_extends_comes_again_after_its_visibility_timeout() -> None:
    """As with SQS; a heartbeat keeps it away."""
    clock = FakeClock()
    queue = _queue(clock, map(_message, range(2)))
    kept, _left = _receive(queue)

    clock.advance(30)
    queue.change_visibility([_receipt(kept)], [60])
    clock.advance(30)

    assert ["m1"] == [message.message_id for message in _receive(queue)]


def test_a_deleted_message_never_comes_again() -> None:
    """A second delete is no error, and nothing can be extended any more."""
    clock = FakeClock()
    queue = _queue(clock, iter([_message(0)]))
    receipts = [_receipt(message) for message in _receive(queue)]

    assert [] == queue.delete(receipts)
    assert [] == queue.delete(receipts)
    assert ["m0"] == [refusal.message_id for refusal in queue.change_visibility(receipts, [0])]
    clock.advance(1000)
    assert [] == _receive(queue)


def test_an_older_receipt_changes_nothing() -> None:
    """The message was received again, by whoever holds the newer one."""
    clock = FakeClock()
    queue = _queue(clock, iter([_message(0)]))
    (first,) = _receive(queue)
    clock.advance(60)
    (second,) = _receive(queue)

    (refusal,) = queue.change_visibility([_receipt(first)], [0])

    assert (True, "m0") == (refusal.expired, refusal.message_id)
    assert [] == queue.change_visibility([_receipt(second)], [0])


def test_a_receive_waits_for_what_is_to_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a return that is due in its time; each look lets a second pass here."""
    clock = FakeClock()
    queue = _queue(clock, iter([None, None, _message(0)]))
    monkeypatch.setattr(queue._changed, "wait", lambda _timeout_s: clock.advance(1))

    (message,) = _receive(queue, wait_s=10)
    queue.change_visibility([_receipt(message)], [5])
    (again,) = _receive(queue, wait_s=10)

    assert 2 == again.receive_count
    queue.change_visibility([_receipt(again)], [20])
    assert [] == _receive(queue, wait_s=10)


def test_a_receive_does_not_wait_where_nothing_is_left() -> None:
    """Everything is deleted: the job may end."""
    queue = _queue(FakeClock(), iter([_message(0)]))
    queue.delete([_receipt(message) for message in _receive(queue)])

    assert [] == _receive(queue, wait_s=20)  # the clock stands still: a wait would never end


def test_it_has_more_until_all_is_deleted() -> None:
    """An empty receive says only that nothing came; a slow listing may bring more, and what is hidden comes again."""
    queue = _queue(FakeClock(), iter([None, _message(0)]))

    assert ([], True) == (_receive(queue), queue.has_more())
    messages = _receive(queue)
    assert ([], True) == (_receive(queue), queue.has_more())
    queue.delete([_receipt(message) for message in messages])
    assert not queue.has_more()


def test_a_delete_wakes_who_waits() -> None:
    """The last acknowledgement ends a replay at once."""
    queue = _queue(FakeClock(), iter([_message(0)]))
    messages = _receive(queue)
    waiting = threading.Thread(target=_receive, args=(queue,), kwargs={"wait_s": 20})
    waiting.start()

    queue.delete([_receipt(message) for message in messages])

    waiting.join(30)
    assert not waiting.is_alive()


def test_a_stop_ends_a_wait() -> None:
    """Nothing new is started."""
    stop = threading.Event()
    queue = _queue(FakeClock(), iter([_message(0)]), stop)
    _receive(queue)
    stop.set()

    assert [] == _receive(queue, wait_s=20)


def test_an_error_of_the_listing_fails_a_receive_and_loses_nothing() -> None:
    """The next receive asks again."""

    class Listing:
        def __init__(self) -> None:
            self.answers = iter([_message(0), QueueError("no answer"), QueueError("none again"), _message(1)])

        def __iter__(self) -> Listing:
            return self

        def __next__(self) -> Message:
            answer = next(self.answers)
            if isinstance(answer, QueueError):
                raise answer
            return answer

    queue = _queue(FakeClock(), Listing())

    assert ["m0"] == [message.message_id for message in _receive(queue)]
    with pytest.raises(QueueError, match="none again"):
        _receive(queue)
    assert ["m1"] == [message.message_id for message in _receive(queue)]


def test_what_is_due_again_is_not_lost_where_nothing_new_can_be_had() -> None:
    """A receive that failed would have counted, and hidden it for its visibility timeout."""

    class Failing:
        def __init__(self) -> None:
            self.messages = iter([_message(0)])

        def __iter__(self) -> Failing:
            return self

        def __next__(self) -> Message:
            for message in self.messages:
                return message
            raise QueueError("no answer")

    queue = _queue(FakeClock(), Failing())
    (first,) = _receive(queue, most=1)
    queue.change_visibility([_receipt(first)], [0])

    assert [("m0", 2)] == [(message.message_id, message.receive_count) for message in _receive(queue)]
    with pytest.raises(QueueError, match="no answer"):
        _receive(queue)


def test_a_slow_listing_does_not_hold_up_what_is_due_again() -> None:
    """While one thread waits for the listing another receives what was returned."""
    clock, asked, go_on = FakeClock(), threading.Event(), threading.Event()

    def listing() -> Iterator[Message]:
        yield _message(0)
        asked.set()
        go_on.wait(30)
        yield _message(1)

    queue = _queue(clock, listing())
    (first,) = _receive(queue, most=1)
    queue.change_visibility([_receipt(first)], [0])
    slow = threading.Thread(target=lambda: queue._take_new(1, 60))
    slow.start()
    asked.wait(30)

    assert ["m0"] == [message.message_id for message in _receive(queue)]
    go_on.set()
    slow.join(30)


def test_too_many_that_wait_for_their_next_try_hold_up_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that always fails must not bring a whole recording into memory."""
    monkeypatch.setattr(finite_queue, "MAX_OPEN", 3)
    clock = FakeClock()
    queue = _queue(clock, map(_message, range(5)))
    waiting = [_receipt(message) for message in _receive(queue)]

    queue.change_visibility(waiting, [5, 5, 5])
    assert [] == _receive(queue)
    queue.delete(waiting[:1])
    assert ["m3"] == [message.message_id for message in _receive(queue)]
    clock.advance(5)
    assert ["m1", "m2"] == [message.message_id for message in _receive(queue)]


def test_nothing_can_be_sent() -> None:
    """There is nobody to receive it."""
    with pytest.raises(QueueError, match="no queue to send 4 characters to"):
        _queue(FakeClock(), iter([])).send("body")
    assert {} == _queue(FakeClock(), iter([])).attributes()
