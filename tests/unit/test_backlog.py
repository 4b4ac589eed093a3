"""What the queue says of itself, now and then."""

from __future__ import annotations

import threading

from pipeline.backlog import Backlog
from tests.by_hand import QueueNobodyAsks, Waits
from transforms.failures import QueueError

JOIN_S = 60


class _Says(QueueNobodyAsks):
    """Answers one after the other; then it is over."""

    def __init__(self, *answers: dict[str, str] | QueueError) -> None:
        self._answers = list(answers)
        self.ended = Waits(self._end_at_last)

    def attributes(self) -> dict[str, str]:
        answer = self._answers.pop(0)
        if isinstance(answer, QueueError):
            raise answer
        return answer

    def _end_at_last(self) -> None:
        if not self._answers:
            self.ended.set()


def _state(queue: _Says) -> dict[str, object] | None:
    backlog = Backlog(queue, queue.ended)
    for thread in [thread for thread in threading.enumerate() if thread.name == "backlog"]:
        thread.join(JOIN_S)
    state = backlog.state()
    return {name: value for name, value in state.items() if name != "at"} if state else None


FIVE = {
    "ApproximateNumberOfMessages": "5",
    "ApproximateNumberOfMessagesNotVisible": "2",
    "ApproximateNumberOfMessagesDelayed": "1",
}


def test_the_queue_is_asked_again_each_minute() -> None:
    """The last answer counts."""
    queue = _Says({"ApproximateNumberOfMessages": "9"}, FIVE)

    assert {"visible": 5, "hidden": 2, "delayed": 1} == _state(queue)
    assert [60.0, 60.0] == queue.ended.timeouts_s


def test_while_sqs_does_not_answer_nobody_knows() -> None:
    """An old number would be a lie; the next answer counts again."""
    assert None is _state(_Says(FIVE, QueueError("SQS is down")))
    assert {"visible": 5, "hidden": 2, "delayed": 1} == _state(_Says(QueueError("SQS is down"), FIVE))


def test_a_queue_without_attributes_says_nothing() -> None:
    """Recorded messages, for example, or a listing, for which asking means to list."""
    queue = _Says({}, FIVE)

    assert None is _state(queue)
    assert [] == queue.ended.timeouts_s  # and is not asked again
