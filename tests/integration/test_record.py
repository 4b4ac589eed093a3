"""A recording with the command as it is typed, against a moto server: the queue is afterwards as it was."""

from __future__ import annotations

import gzip
import json
import signal
import uuid
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import a_notification, an_sns_envelope
from tests.command import Command, until
from tests.integration.jobs import REGION, Place
from tests.raw_server import HeldOpen, RawServer, an_answer
from transforms import aws as transforms_aws
from transforms.object_files import object_paths

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCOUNT = "123456789012"
TIMEOUT_S = 90
KEYS = ("logs/a.gz", "a", "a/b", "c++ ü.gz", "/x//../y/", f"AWSLogs/{ACCOUNT}/10.0.0.1.log", "k" * 1000)


def _upload(place: Place, *keys: str) -> dict[str, bytes]:
    """Store an object for each key, and send a message about each; answer the contents."""
    contents = {key: gzip.compress(f"content of {key}".encode()) for key in keys}
    for key, content in contents.items():
        place.put(key, content)
        place.send(a_notification(key, bucket=place.bucket))
    return contents


def _receive(queue_url: str) -> list[dict[str, Any]]:
    sqs = transforms_aws.client("sqs", REGION)
    answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, AttributeNames=["All"])
    messages: list[dict[str, Any]] = answer.get("Messages", [])
    return messages


def _lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "messages.jsonl").read_text(encoding="ascii").splitlines()]


def _stored(root: Path, bucket: str, key: str) -> bytes:
    """Read it where a replay does."""
    path = next(path for path in object_paths(root / "objects", bucket, key) if path.is_file())
    return path.read_bytes()


def test_a_recording_has_every_message_and_object_and_deletes_nothing(place: Place, tmp_path: Path) -> None:
    """Odd keys, a message that nobody can read, and an object that is gone, too; each costs one receive."""
    contents = _upload(place, *KEYS)
    bodies = ["not JSON", an_sns_envelope(a_notification("gone", bucket=place.bucket))]
    ids = [place.send(body) for body in bodies]
    with Command("record", f"--queue_url={place.url}", "--into=rec", "--max_messages=9", cwd=tmp_path) as command:
        assert command.wait(TIMEOUT_S) == 0, str(command)
    lines = _lines(tmp_path / "rec")
    counts = place.left()
    again = {message["MessageId"]: message for message in _receive(place.url)}

    assert (9, 0) == counts
    assert {2} == {int(message["Attributes"]["ApproximateReceiveCount"]) for message in again.values()}
    assert set(again) == {line["MessageId"] for line in lines}
    assert contents == {key: _stored(tmp_path / "rec", place.bucket, key) for key in KEYS}
    for line in lines:
        message = again[line["MessageId"]]
        assert {
            "MessageId": message["MessageId"],
            "Body": message["Body"],
            "Attributes": {
                "SentTimestamp": message["Attributes"]["SentTimestamp"],
                "ApproximateReceiveCount": "1",
            },
        } == line
    assert set(ids) <= set(again)
    total = (
        f"recorded 9 messages, 7 objects of {sum(map(len, contents.values())):,} bytes, 1 object gone in S3; into rec"
    )
    assert command.lines_with(total)


def test_a_quiet_queue_ends_a_recording_early(place: Place, tmp_path: Path) -> None:
    """After ten seconds; the directory may have been made before."""
    _upload(place, "a")
    (tmp_path / "rec").mkdir()
    with Command("record", "--into=rec", cwd=tmp_path, environment={"SQS_QUEUE_URL": place.url}) as command:
        assert command.wait(TIMEOUT_S) == 0, str(command)

    assert 1 == len(_lines(tmp_path / "rec"))
    assert (1, 0) == place.left()
    assert command.lines_with("the queue is quiet")


def test_a_redacted_recording_has_no_account_and_still_finds_its_objects(place: Place, tmp_path: Path) -> None:
    """Names included, if that is wanted."""
    contents = _upload(place, f"AWSLogs/{ACCOUNT}/10.0.0.1.log")
    options = (f"--queue_url={place.url}", "--max_messages=1")
    with Command("record", "--redact", "--into=kept", *options, cwd=tmp_path) as keeping:
        assert keeping.wait(TIMEOUT_S) == 0, str(keeping)
    with Command("record", "--redact_names", "--into=gone", *options, cwd=tmp_path) as redacting:
        assert redacting.wait(TIMEOUT_S) == 0, str(redacting)
    [content] = contents.values()

    assert "AIDAEXAMPLE" not in (tmp_path / "kept" / "messages.jsonl").read_text()
    assert ACCOUNT not in (tmp_path / "gone" / "messages.jsonl").read_text()
    assert content == _stored(tmp_path / "kept", place.bucket, f"AWSLogs/{ACCOUNT}/10.0.0.1.log")
    assert content == _stored(tmp_path / "gone", place.bucket, "AWSLogs/999900000001/240.0.0.1.log")
    assert keeping.lines_with("account ids or addresses are in 1 bucket name or key that is kept")
    assert keeping.lines_with("the contents of the objects are not redacted")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_middle_of_an_object_makes_every_message_visible(
    place: Place,
    tmp_path: Path,
    serve_s3: Callable[[RawServer], None],
    number: signal.Signals,
) -> None:
    """At once, though S3 does not move; what was not copied whole is not recorded."""
    for key in ("a", "b", "c"):
        place.send(a_notification(key, bucket=place.bucket))
    with ExitStack() as stack:
        with RawServer([HeldOpen(an_answer(body=b"a part", announced=1000))]) as server:
            serve_s3(server)
            command = stack.enter_context(Command("record", f"--queue_url={place.url}", "--into=rec", cwd=tmp_path))
            assert until(lambda: place.left() == (0, 3) and (tmp_path / "rec" / ".object.tmp").exists(), 60)
            command.signal(number)
            assert until(lambda: place.left() == (3, 0), 60), str(command)
        assert command.wait(TIMEOUT_S) == 0, str(command)  # it hears of it when the server hangs up

    assert [] == list((tmp_path / "rec").iterdir())
    assert {2} == {int(message["Attributes"]["ApproximateReceiveCount"]) for message in _receive(place.url)}
    assert command.lines_with("stopping: all messages go back to the queue")
    assert command.lines_with("nothing was deleted; every message is visible in the queue again")


def test_a_directory_that_is_not_empty_is_refused_before_anything_is_received(place: Place, tmp_path: Path) -> None:
    """One sentence, exit code 2, no receive."""
    _upload(place, "a")
    (tmp_path / "messages.jsonl").write_text("an earlier one")
    with Command("record", f"--queue_url={place.url}", "--into=.", cwd=tmp_path) as command:
        assert command.wait(TIMEOUT_S) == 2, str(command)

    assert ["sqs-pipeline: --into is ., which is not empty; name a new directory for each recording"] == command.log
    assert ["1"] == [message["Attributes"]["ApproximateReceiveCount"] for message in _receive(place.url)]


def test_a_queue_that_moves_messages_after_one_receive_is_refused(aws: str, place: Place, tmp_path: Path) -> None:
    """The job would never see what was recorded."""
    sqs = transforms_aws.client("sqs", REGION)
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{place.url.rsplit('/', 1)[1]}"}
    name = f"queue-{uuid.uuid4()}"
    attributes = {"RedrivePolicy": json.dumps(policy | {"maxReceiveCount": 1})}
    url = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    with Command("record", f"--queue_url={url}", "--into=rec", cwd=tmp_path) as command:
        assert command.wait(TIMEOUT_S) == 2, str(command)

    assert command.lines_with("maxReceiveCount is 1")
    assert not (tmp_path / "rec").exists()
