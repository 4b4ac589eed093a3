"""When SQS is asked and for how much, and that nothing ends the asking but its end."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import pytest

from tests.builders import a_message
from tests.by_hand import QueueNobodyAsks, Waits
from transforms.failures import QueueError
from transforms.pollers import POLLERS, ROOM_WAIT_S, Pollers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.queues import Message

JOIN_S = 10
FULL = [a_message(message_id=f"message-{number}") for number in range(10)]
DOWN = QueueError("SQS is down")


class _Answers(QueueNobodyAsks):
    """A queue that answers receives one after the other, and stops the pollers when it has no more to say."""

    def __init__(self, stop: threading.Event) -> None:
        self.script: list[list[Message] | Exception] = []
        self.asked: list[dict[str, int]] = []
        self._stop = stop

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        self.asked.append({"max": max_messages, "wait": wait_s, "visibility": visibility_timeout_s})
        answer = self.script.pop(0)
        if not self.script:
            self._stop.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


class _Admission:
    """Room as a test says, ten where it does not; notes what came."""

    def __init__(self) -> None:
        self.room: list[int] = []
        self.full_room = True
        self.awaited: list[float] = []
        self.admitted: list[tuple[int, int, float]] = []
        self.failed: list[int] = []
        self.time = 1000.0

    def await_room(self, timeout_s: float) -> bool:
        self.awaited.append(timeout_s)
        return self.full_room

    def reserve(self) -> int:
        return self.room.pop(0) if self.room else 10

    def admit(self, messages: list[Message], *, reserved: int, asked_at: float) -> None:
        self.admitted.append((len(messages), reserved, asked_at))

    def receive_failed(self, reserved: int) -> None:
        self.failed.append(reserved)

    def now(self) -> float:
        self.time += 1
        return self.time


class _Polling:
    """Pollers, and what they talk to."""

    def __init__(self) -> None:
        self.stop = Waits()
        self.queue = _Answers(self.stop)
        self.admission = _Admission()
        self.pollers = Pollers(self.queue, self.admission, wait_time_s=7, visibility_timeout_s=60, stop=self.stop)
        self.busy = self.pollers._busy = Waits(in_vain=self.stop.set)

    def run(self, *answers: list[Message] | Exception, number: int = 0) -> None:
        """Be one poller, in this thread, until the answers are used up."""
        self.queue.script = list(answers)
        self.pollers._run(number)


@pytest.fixture
def polling() -> _Polling:
    """Nothing was asked yet."""
    return _Polling()


def test_room_is_reserved_before_sqs_is_asked(polling: _Polling) -> None:
    """So that what comes can always be taken."""
    polling.admission.room = [10, 3]
    polling.run([], FULL[:2])

    assert [
        {"max": 10, "wait": 7, "visibility": 60},
        {"max": 3, "wait": 7, "visibility": 60},
    ] == polling.queue.asked
    assert [(0, 10), (2, 3)] == [(came, reserved) for came, reserved, _ in polling.admission.admitted]


def test_a_lease_counts_from_before_the_question(polling: _Polling) -> None:
    """SQS hides a message before we know of it."""
    polling.run(FULL)

    assert [(10, 10, 1001.0)] == polling.admission.admitted


def test_room_for_a_full_receive_is_awaited_a_moment(polling: _Polling) -> None:
    """Then as many are asked for as have room: the others may be in hand for hours."""
    polling.admission.full_room = False
    polling.admission.room = [0, 3]
    polling.run(FULL[:2])

    assert [3] == [asked["max"] for asked in polling.queue.asked]
    assert [ROOM_WAIT_S] * 2 == polling.admission.awaited
    assert [] == polling.stop.timeouts_s


def test_without_room_a_poller_looks_again_a_moment_later(polling: _Polling) -> None:
    """And asks nobody meanwhile."""
    polling.admission.room = [0, 0, 10]
    polling.run([])

    assert [ROOM_WAIT_S, ROOM_WAIT_S] == polling.stop.timeouts_s
    assert 1 == len(polling.queue.asked)


def test_the_first_poller_asks_also_when_the_queue_is_quiet(polling: _Polling) -> None:
    """One long poll after the other, without a pause in which a message would wait."""
    polling.run([], [], [])

    assert 3 == len(polling.queue.asked)
    assert [] == polling.busy.timeouts_s + polling.stop.timeouts_s


def test_the_others_join_while_receives_come_back_full(polling: _Polling) -> None:
    """Three idle long polls would find nothing more than one."""
    polling.busy.set()
    polling.run(FULL, FULL, FULL[:9], [], number=1)

    assert 3 == len(polling.queue.asked)
    assert not polling.busy.is_set()


def test_a_full_receive_calls_the_others(polling: _Polling) -> None:
    """Full is what was asked for, be it less than ten."""
    polling.admission.room = [4]
    polling.run(FULL[:4])

    assert polling.busy.is_set()


# ── trouble


@pytest.mark.parametrize("error", [DOWN, RuntimeError("nobody foresaw this")])
def test_an_error_frees_the_room_and_ends_nothing(polling: _Polling, error: Exception) -> None:
    """A poller that died would end the job in silence."""
    polling.admission.room = [5]
    polling.run(error, FULL)

    assert [5] == polling.admission.failed
    assert 1 == len(polling.admission.admitted)


def test_errors_are_followed_by_growing_delays(polling: _Polling) -> None:
    """An SQS in trouble is not asked harder; a success starts anew."""
    polling.run(*[DOWN] * 12, [], DOWN, [])
    delays_s = [delay for delay in polling.stop.timeouts_s if delay is not None]

    assert 13 == len(delays_s)
    assert delays_s[0] <= 0.5
    assert 5 < max(delays_s[8:12]) <= 30
    assert delays_s[12] <= 0.5


def test_trouble_is_told_once_and_its_end_once(polling: _Polling, caplog: pytest.LogCaptureFixture) -> None:
    """A night of it is two lines."""
    caplog.set_level(logging.INFO)
    polling.run(*[DOWN] * 9, [], [])

    assert [
        "SQS does not answer, asking again with growing delays: SQS is down",
        "SQS answers again",
    ] == caplog.messages


# ── the end


def test_a_poll_in_flight_at_a_stop_is_awaited_and_its_messages_admitted(polling: _Polling) -> None:
    """SQS has hidden them; who drops the answer hides them for a whole visibility timeout."""
    polling.run(FULL)

    assert polling.stop.is_set()
    assert [10] == [came for came, _, _ in polling.admission.admitted]


def test_after_a_stop_nothing_is_asked(polling: _Polling) -> None:
    """Not even once."""
    polling.stop.set()
    polling.run(FULL)

    assert [] == polling.queue.asked


def test_closed_pollers_end_though_no_stop_was_asked_for(polling: _Polling) -> None:
    """A drain that found the queue empty; the others are woken, and a last poll does not put them to sleep again."""

    def close_meanwhile(*_: object, **__: object) -> list[Message]:
        polling.pollers.close()
        return []

    polling.queue.receive = close_meanwhile  # type: ignore[method-assign]
    for number in range(POLLERS):
        polling.pollers._run(number)

    assert polling.pollers.closed
    assert polling.busy.is_set()
    assert not polling.stop.is_set()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Hold up a poll; let it go after the test whatever happens."""
    event = threading.Event()
    yield event
    event.set()


def test_pollers_have_ended_only_when_no_poll_is_under_way(polling: _Polling, gate: threading.Event) -> None:
    """What it brings must find somebody who gives it back."""
    under_way = threading.Event()

    def receive(*_: object, **__: object) -> list[Message]:
        under_way.set()
        assert gate.wait(JOIN_S)
        return []

    stop = threading.Event()
    pollers = Pollers(polling.queue, polling.admission, wait_time_s=7, visibility_timeout_s=60, stop=stop)
    polling.queue.receive = receive  # type: ignore[method-assign]
    pollers.start()
    assert under_way.wait(JOIN_S)
    stop.set()
    pollers.close()
    assert not pollers.ended
    gate.set()
    for thread in pollers._threads:
        thread.join(JOIN_S)

    assert pollers.ended
    assert [(0, 10)] == [(came, reserved) for came, reserved, _ in polling.admission.admitted]


def test_trouble_is_known_until_sqs_answers_again(polling: _Polling) -> None:
    """And whether it will pass by itself; what nobody foresaw may."""
    seen = []
    for answer in (DOWN, QueueError("denied", permanent=True), RuntimeError("unforeseen"), []):
        polling.run(answer)
        polling.stop.clear()
        seen.append(polling.pollers.trouble)

    assert [("SQS is down", False), ("denied", True), ("unforeseen", False), None] == seen
