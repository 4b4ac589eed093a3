"""`record` copies and deletes nothing; on every way out the messages are visible again."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import record as command
from pipeline.record import Recorder
from pipeline.record_options import Asked
from tests.builders import BUCKET, QUEUE_URL, a_notification
from tests.fake_objects import FakeObjects, FakeOpenObject
from tests.fakes import FakeClock, FakeQueue
from transforms.failures import BucketGoneError, QueueError, UserError, WriteFailedError
from transforms.held_messages import GIVE_BACK_ATTEMPTS
from transforms.new_recording import NewRecording
from transforms.settings import ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from transforms.queues import Message, Receipt, Refusal
    from transforms.records import ObjectRef

ACCOUNT = "123456789012"


class _Queue(FakeQueue):
    """Says what the test wants of itself, and nothing is ever deleted from it."""

    def __init__(self) -> None:
        super().__init__(clock=FakeClock())
        self.said: dict[str, str] = {}
        self.receives: list[QueueError] = []
        """How the next receives fail, the last first."""
        self.is_deaf = False
        """Gives nothing back."""

    def attributes(self) -> dict[str, str]:
        return super().attributes() | self.said

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        if self.receives:
            raise self.receives.pop()
        return super().receive(max_messages=max_messages, wait_s=wait_s, visibility_timeout_s=visibility_timeout_s)

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        if self.is_deaf:
            raise QueueError("503")
        return super().change_visibility(receipts, timeouts_s)

    def delete(self, receipts: Sequence[Receipt]) -> list[Refusal]:
        raise AssertionError(f"deleted {receipts}")

    def visible(self) -> int:
        """How many messages another one could receive now."""
        return int(self.attributes()["ApproximateNumberOfMessages"])


@pytest.fixture
def queue() -> _Queue:
    """Two messages with an object, and one that nobody can read."""
    queue = _Queue()
    for body in (a_notification("a"), a_notification("b", "gone"), "nothing"):
        queue.send(body)
    return queue


@pytest.fixture
def objects() -> FakeObjects:
    """What those messages name."""
    objects = FakeObjects(chunk_bytes=10)
    objects.put(BUCKET, "a", b"content of a")
    objects.put(BUCKET, "b", b"content of b")
    return objects


@pytest.fixture
def stop() -> threading.Event:
    """A request to stop."""
    return threading.Event()


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[NewRecording]:
    """A new one."""
    recording = NewRecording(tmp_path, max_object_bytes=1000)
    yield recording
    recording.close()


@pytest.fixture
def record(objects: FakeObjects, recording: NewRecording, stop: threading.Event, tmp_path: Path) -> Callable[..., int]:
    """Record a queue into that recording, with these options; answer the exit code."""

    def run(queue: _Queue, **said: Any) -> int:  # noqa: ANN401 - options of many kinds
        return Recorder(_asked(tmp_path, **said), queue, objects).record(recording, stop)

    return run


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


def _asked(tmp_path: Path, **said: Any) -> Asked:  # noqa: ANN401 - options of many kinds
    return Asked(ReceiveSettings(queue_url=QUEUE_URL), tmp_path, **said)


def _bodies(tmp_path: Path) -> list[str]:
    return [json.loads(line)["Body"] for line in (tmp_path / "messages.jsonl").read_text().splitlines()]


def test_messages_and_objects_are_recorded_and_all_is_visible_again(
    queue: _Queue, tmp_path: Path, caplog: pytest.LogCaptureFixture, record: Callable[..., int]
) -> None:
    """What cannot be read, too. The summary says what there is, and what is gone."""
    assert 0 == record(queue)
    assert [a_notification("a"), a_notification("b", "gone"), "nothing"] == _bodies(tmp_path)
    assert b"content of a" == (tmp_path / "objects" / BUCKET / "a").read_bytes()
    assert 3 == queue.visible()
    assert [
        f"recorded message message-1: s3://{BUCKET}/a",
        f"s3://{BUCKET}/gone is gone in S3; its message is recorded without it",
        f"recorded message message-2: s3://{BUCKET}/b, s3://{BUCKET}/gone",
        "recorded message message-3: no object",
        "the queue is quiet: nothing new came for 10 s",
        f"recorded 3 messages, 2 objects of 24 bytes, 1 object gone in S3; into {tmp_path}",
        "nothing was deleted; every message is visible in the queue again",
    ] == caplog.messages


def test_it_ends_after_as_many_messages_as_were_asked_for(
    queue: _Queue, tmp_path: Path, record: Callable[..., int]
) -> None:
    """The others cost no receive."""
    assert 0 == record(queue, max_messages=2)
    assert 2 == len(_bodies(tmp_path))
    assert [2, 2, 1] == [
        message.receive_count for message in queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=60)
    ]


def test_a_message_whose_object_cannot_be_copied_is_left_out_and_the_exit_code_says_so(
    queue: _Queue, objects: FakeObjects, tmp_path: Path, caplog: pytest.LogCaptureFixture, record: Callable[..., int]
) -> None:
    """A replay would find what the job does not."""
    objects.fail_next(BucketGoneError("404 NoSuchBucket"))

    assert 1 == record(queue)
    assert [a_notification("b", "gone"), "nothing"] == _bodies(tmp_path)
    assert "left out message message-1: 404 NoSuchBucket" in caplog.messages
    assert f"recorded 2 messages, 1 object of 12 bytes, 1 object gone in S3, left out 1 message; into {tmp_path}" in (
        caplog.messages
    )
    assert 3 == queue.visible()


def test_an_object_over_the_limit_is_left_out_by_name(
    queue: _Queue, objects: FakeObjects, stop: threading.Event, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With both values."""
    with closing(NewRecording(tmp_path, max_object_bytes=11)) as recording:
        assert 1 == Recorder(_asked(tmp_path), queue, objects).record(recording, stop)

    assert (
        f"left out message message-1: s3://{BUCKET}/a: --max_object_bytes is 11; the object has 12 bytes"
        in caplog.messages
    )


def test_a_stop_in_the_middle_of_an_object_ends_it_and_gives_all_back(
    queue: _Queue, objects: FakeObjects, recording: NewRecording, stop: threading.Event, tmp_path: Path
) -> None:
    """What is recorded stays; that message is not in it."""

    class _Stopping(FakeObjects):
        def open(self, ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> FakeOpenObject:
            if ref.key == "b":
                stop.set()
            return objects.open(ref, offset=offset, if_match=if_match)

    assert 0 == Recorder(_asked(tmp_path), queue, _Stopping()).record(recording, stop)
    assert [a_notification("a")] == _bodies(tmp_path)
    assert ["a"] == [path.name for path in (tmp_path / "objects" / BUCKET).iterdir()]
    assert 3 == queue.visible()


def test_a_queue_that_does_not_answer_any_more_ends_it_and_what_is_recorded_stays(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, record: Callable[..., int]
) -> None:
    """Denied, say, in the middle."""

    class _Once(_Queue):
        def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
            self.receives = [QueueError("denied", permanent=True)] if self.message_ids() == seen else []
            received = super().receive(max_messages=1, wait_s=wait_s, visibility_timeout_s=visibility_timeout_s)
            seen.update(message.message_id for message in received)
            return received

    seen: set[str] = set()
    queue = _Once()
    queue.send(a_notification("a"))

    assert 1 == record(queue)
    assert [a_notification("a")] == _bodies(tmp_path)
    assert "it ends early: denied" in caplog.messages
    assert 1 == queue.visible()


@pytest.mark.parametrize(("error", "exit_code"), [(WriteFailedError("full"), 1), (RuntimeError("unforeseen"), None)])
def test_an_error_gives_all_back(
    queue: _Queue,
    objects: FakeObjects,
    recording: NewRecording,
    stop: threading.Event,
    tmp_path: Path,
    error: Exception,
    exit_code: int | None,
) -> None:
    """A full disk, and what nobody foresaw."""
    objects.fail_next(error)
    recorder = Recorder(_asked(tmp_path), queue, objects)
    if exit_code is None:
        with pytest.raises(RuntimeError, match="unforeseen"):
            recorder.record(recording, stop)
    else:
        assert exit_code == recorder.record(recording, stop)

    assert 3 == queue.visible()


def test_what_cannot_be_given_back_is_told(
    queue: _Queue, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, record: Callable[..., int]
) -> None:
    """And when it is visible."""
    monkeypatch.setattr("transforms.held_messages.PAUSE_S", 0)
    queue.is_deaf = True

    assert 1 == record(queue)
    assert GIVE_BACK_ATTEMPTS == caplog.messages.count("3 messages could not be given back yet: 503")
    assert "3 messages could not be given back, visible again within 60 s; nothing was deleted" == caplog.messages[-1]


def test_messages_that_sqs_moves_at_their_next_receive_are_told(
    queue: _Queue,
    objects: FakeObjects,
    recording: NewRecording,
    stop: threading.Event,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The recording was their last but one."""
    queue.said = {"RedrivePolicy": json.dumps({"maxReceiveCount": "2"})}
    receipts = queue.receive(max_messages=2, wait_s=0, visibility_timeout_s=0)
    recorder = Recorder(_asked(tmp_path), queue, objects)
    recorder.check_queue()

    assert 2 == len(receipts)
    assert 0 == recorder.record(recording, stop)
    assert (
        "received as often as the queue's maxReceiveCount allows (2 times): 2 messages, which SQS moves to the "
        "dead-letter queue at the next receive"
    ) in caplog.messages


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"RedrivePolicy": json.dumps({"maxReceiveCount": 1})}, "maxReceiveCount is 1.*raise maxReceiveCount first"),
        ({"FifoQueue": "true"}, "is a FIFO queue"),
    ],
)
def test_a_queue_that_a_recording_would_harm_is_refused(
    queue: _Queue, objects: FakeObjects, tmp_path: Path, said: dict[str, str], sentence: str
) -> None:
    """Before anything is received."""
    queue.said = said

    with pytest.raises(UserError, match=sentence):
        Recorder(_asked(tmp_path), queue, objects).check_queue()


def test_a_queue_that_cannot_be_used_is_one_sentence(objects: FakeObjects, tmp_path: Path) -> None:
    """An outage, too: somebody sits before this."""

    class _Down(FakeQueue):
        def attributes(self) -> dict[str, str]:
            raise QueueError("503")

    with pytest.raises(UserError, match=f"The queue {QUEUE_URL} cannot be used: 503"):
        Recorder(_asked(tmp_path), _Down(clock=FakeClock()), objects).check_queue()


def test_a_redacted_recording_says_what_is_not_redacted(
    objects: FakeObjects, tmp_path: Path, caplog: pytest.LogCaptureFixture, record: Callable[..., int]
) -> None:
    """The contents, and names that tell."""
    queue = _Queue()
    for key in (f"{ACCOUNT}/a", f"{ACCOUNT}/b"):
        objects.put(BUCKET, key, b"")
        queue.send(a_notification(key))

    assert 0 == record(queue, redact=True)
    assert "the contents of the objects are not redacted: look at them before you share them" in caplog.messages
    assert (
        "account ids or addresses are in 2 bucket names or keys that are kept; --redact_names redacts them"
        in caplog.messages
    )
    assert "AIDAEXAMPLE" not in (tmp_path / "messages.jsonl").read_text()


def test_redacted_names_name_the_recorded_objects(
    objects: FakeObjects,
    recording: NewRecording,
    stop: threading.Event,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is left to warn of but the contents."""
    queue = _Queue()
    queue.send(a_notification(f"{ACCOUNT}/a"))
    objects.put(BUCKET, f"{ACCOUNT}/a", b"content")
    asked = _asked(tmp_path, redact=True, redact_names=True)

    assert 0 == Recorder(asked, queue, objects).record(recording, stop)
    assert b"content" == (tmp_path / "objects" / BUCKET / "999900000001" / "a").read_bytes()
    assert "--redact_names" not in caplog.text


def test_the_log_names_a_few_objects_of_a_message_with_many(
    recording: NewRecording, stop: threading.Event, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A message may have a thousand."""
    queue = _Queue()
    queue.send(a_notification(*"abcdef"))
    Recorder(_asked(tmp_path), queue, FakeObjects()).record(recording, stop)

    assert (
        f"recorded message message-1: s3://{BUCKET}/a, s3://{BUCKET}/b, s3://{BUCKET}/c, and 3 more" in caplog.messages
    )


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--into=x"], "There is no queue to record from: set --queue_url or SQS_QUEUE_URL"),
        ([f"--queue_url={QUEUE_URL}"], "There is no place for the recording: set --into=DIR"),
        ([f"--queue_url={QUEUE_URL}.fifo", "--into=x"], "a FIFO queue"),
        ([f"--queue_url={QUEUE_URL}", "--into=x", "--max_messages=1001"], "--max_messages is 1001; this job allows 1"),
        ([f"--queue_url={QUEUE_URL}", "--into=x", "--redcat"], "--redcat is not an option; did you mean --redact?"),
    ],
)
def test_a_mistake_is_one_sentence(argv: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is received."""
    monkeypatch.setattr("pipeline.record_options.configure", lambda level, log_format: None)

    with pytest.raises(UserError) as raised:
        command.main(argv, {})
    assert sentence in str(raised.value)
