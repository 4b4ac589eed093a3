"""`redrive` sends first and deletes then; nothing that is not sent is lost."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pipeline import dead_letter_options
from pipeline import redrive as command
from pipeline.dead_letter_options import Asked
from pipeline.redrive import redrive
from tests.builders import QUEUE_URL, a_delivery, an_object_ref
from tests.fakes import FakeQueue, FakeStore
from transforms.dead_letter_box import DeadLetterBox
from transforms.dead_letters import dead_letter_document
from transforms.failures import CorruptGzipError, QueueError, UserError, WriteFailedError
from transforms.records import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

ASKED = Asked(QUEUE_URL, None, "us-east-1", "there", frozenset(), None)
DRY = Asked(QUEUE_URL, None, "us-east-1", "there", frozenset(), None, dry_run=True)


def _a_store(*names: str, queue_url: str = QUEUE_URL, store: FakeStore | None = None) -> FakeStore:
    store = store or FakeStore()
    for name in names:
        ref = an_object_ref(key=name, delivery=a_delivery(queue_url=queue_url))
        failure = Failure.of(ref, CorruptGzipError("no"))
        store.put(name, dead_letter_document(failure, failed_at=datetime(2026, 1, 2, tzinfo=UTC)))
    return store


def _keys(queue: FakeQueue) -> list[str]:
    messages = queue.receive(max_messages=10, wait_s=0, visibility_timeout_s=60)
    return [json.loads(message.body)["Records"][0]["s3"]["object"]["key"] for message in messages]


@pytest.fixture
def queue() -> FakeQueue:
    """An empty one."""
    return FakeQueue(clock=time.monotonic)


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


def test_what_is_sent_is_gone_from_the_dead_letters(queue: FakeQueue, caplog: pytest.LogCaptureFixture) -> None:
    """And the log says what was sent, and how much."""
    store = _a_store("a.json", "b.json")

    assert 0 == redrive(ASKED, DeadLetterBox(store), queue)
    assert ["a.json", "b.json"] == _keys(queue)
    assert [] == list(store.names())
    assert "sent s3://source-bucket/a.json, set aside as corrupt_gzip (a.json) as message message-1" in caplog.text
    assert "2 sent" == caplog.messages[-1]


def test_a_dead_letter_is_deleted_only_after_its_send_succeeded(queue: FakeQueue) -> None:
    """A crash in between repeats the send."""
    store = _a_store("a.json")
    seen = []

    class _Watching(FakeQueue):
        def send(self, body: str) -> str:
            seen.append(store.exists("a.json"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        redrive(ASKED, DeadLetterBox(store), _Watching(clock=time.monotonic))

    assert [True] == seen
    assert 0 == redrive(ASKED, DeadLetterBox(store), queue)
    assert ["a.json"] == _keys(queue)


def test_what_cannot_be_sent_stays_and_the_exit_code_says_so(queue: FakeQueue) -> None:
    """SQS is down, for example."""
    store = _a_store("a.json", "b.json")
    queue.takes_none = True

    assert 1 == redrive(ASKED, DeadLetterBox(store), queue)
    assert ["a.json", "b.json"] == list(store.names())


def test_a_queue_that_takes_nothing_for_good_ends_it_with_a_sentence() -> None:
    """The next would fare no better."""
    store = _a_store("a.json")

    class _Denied(FakeQueue):
        def send(self, body: str) -> str:
            raise QueueError("denied", permanent=True)

    with pytest.raises(UserError, match="cannot be sent to: denied"):
        redrive(ASKED, DeadLetterBox(store), _Denied(clock=time.monotonic))

    assert store.exists("a.json")


def test_what_is_sent_and_cannot_be_deleted_is_told(queue: FakeQueue, caplog: pytest.LogCaptureFixture) -> None:
    """Or the next run would send it again, unexpectedly."""

    class _ReadOnly(FakeStore):
        def delete(self, name: str) -> None:
            raise WriteFailedError("denied")

    assert 1 == redrive(ASKED, DeadLetterBox(_a_store("a.json", store=_ReadOnly())), queue)
    assert ["a.json"] == _keys(queue)
    assert "sent, but its dead letter stays" in caplog.text


def test_a_dry_run_changes_nothing(queue: FakeQueue, caplog: pytest.LogCaptureFixture) -> None:
    """It says what would be sent."""
    store = _a_store("a.json")

    assert 0 == redrive(DRY, DeadLetterBox(store), queue)
    assert ([], ["a.json"]) == (_keys(queue), list(store.names()))
    assert ["would send s3://source-bucket/a.json, set aside as corrupt_gzip (a.json)", "1 would be sent"] == (
        caplog.messages
    )


@pytest.mark.parametrize(
    ("came_from", "sent"),
    [
        (QUEUE_URL.replace("5000", "6000"), ["a.json"]),
        ("", ["a.json"]),
        ("backfill:s3://logs/", ["a.json"]),
        ("http://localhost:5000/123456789012/another", []),
        ("http://[", []),
    ],
)
def test_dead_letters_of_another_queue_are_left_alone(queue: FakeQueue, came_from: str, sent: list[str]) -> None:
    """Two jobs may share a place; a host may have another name, and a listing or a replay has no queue."""
    store = _a_store("a.json", queue_url=came_from)

    assert 0 == redrive(ASKED, DeadLetterBox(store), queue)
    assert sent == _keys(queue)
    assert bool(sent) != store.exists("a.json")


def test_a_place_that_cannot_be_listed_is_one_sentence(queue: FakeQueue) -> None:
    """With the place in it."""

    class _Unlisted(FakeStore):
        def names(self) -> Iterator[str]:
            raise WriteFailedError("cannot list: denied")

    with pytest.raises(UserError, match="The dead letters in there cannot be listed"):
        redrive(ASKED, DeadLetterBox(_Unlisted()), queue)


def test_it_needs_a_queue() -> None:
    """As the job does."""
    with pytest.raises(UserError, match="There is no queue to send to"):
        command.main([], {})


def test_it_acts_as_the_roles_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue's to send, the output's to read and delete."""
    monkeypatch.setattr(dead_letter_options, "configure", lambda *_: None)
    role = "arn:aws:iam::123456789012:role"

    asked = dead_letter_options.parse_redrive(
        [f"--queue_url={QUEUE_URL}", f"--queue_role_arn={role}/q", f"--output_role_arn={role}/o"], {}
    )

    assert (f"{role}/q", f"{role}/o") == (asked.queue_role_arn, asked.output_role_arn)
