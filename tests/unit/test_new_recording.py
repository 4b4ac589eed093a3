"""A recording holds messages as SQS prints them and objects as S3 stores them; each message whole or not at all."""

from __future__ import annotations

import json
import resource
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.builders import BUCKET, a_message, an_object_ref
from tests.fake_objects import FakeObjects, FakeOpenObject
from transforms.failures import ForbiddenError, TooLargeError, UnavailableError, UserError, WriteFailedError
from transforms.new_recording import NewRecording
from transforms.object_files import object_paths
from transforms.recorded_form import NotRecordableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from transforms.records import ObjectRef

MAX_OBJECT_BYTES = 1000


@pytest.fixture
def objects() -> FakeObjects:
    """Some objects, in pieces of ten bytes."""
    objects = FakeObjects(chunk_bytes=10)
    for key in ("a", "a/b", "b", "../c"):
        objects.put(BUCKET, key, f"content of {key}".encode())
    return objects


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[NewRecording]:
    """A new one, in a directory that is not there yet."""
    recording = NewRecording(tmp_path / "new" / "place", max_object_bytes=MAX_OBJECT_BYTES)
    yield recording
    recording.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where it is."""
    return tmp_path / "new" / "place"


def _pass() -> None:
    pass


def _add(recording: NewRecording, objects: FakeObjects, *keys: str, message_id: str = "message-1") -> None:
    pairs = [(an_object_ref(key=key), an_object_ref(key=key)) for key in keys]
    recording.add(a_message(message_id=message_id), pairs, objects, _pass)


def _ids(directory: Path) -> list[str]:
    lines = (directory / "messages.jsonl").read_text(encoding="ascii").splitlines()
    return [json.loads(line)["MessageId"] for line in lines]


def _files(directory: Path) -> dict[str, bytes]:
    files = [path for path in (directory / "objects").rglob("*") if path.is_file()]
    return {str(path.relative_to(directory / "objects")): path.read_bytes() for path in files}


def test_a_message_is_written_as_the_aws_cli_prints_it(
    recording: NewRecording, objects: FakeObjects, directory: Path
) -> None:
    """But for its receipt, which is nobody's business; odd bodies included."""
    message = a_message(body='{"a": "\ud800\nü"}', receive_count=3)
    recording.add(message, [], objects, _pass)

    assert {
        "MessageId": "message-1",
        "Body": message.body,
        "Attributes": {"SentTimestamp": "1767323046000", "ApproximateReceiveCount": "3"},
    } == json.loads((directory / "messages.jsonl").read_text(encoding="ascii"))


def test_objects_are_where_a_replay_looks_for_them(
    recording: NewRecording, objects: FakeObjects, directory: Path
) -> None:
    """Byte for byte, at the first place that can be made: no file is a directory."""
    _add(recording, objects, "a", "a/b", "b", "../c")
    root = directory / "objects"
    expected = {
        object_paths(root, BUCKET, "a")[0]: b"content of a",
        object_paths(root, BUCKET, "a/b")[-1]: b"content of a/b",
        object_paths(root, BUCKET, "b")[0]: b"content of b",
        object_paths(root, BUCKET, "../c")[0]: b"content of ../c",
    }

    assert {str(path.relative_to(root)): content for path, content in expected.items()} == _files(directory)
    assert (1, [12, 14, 12, 15], 0) == (recording.messages, recording.sizes, recording.gone)


def test_a_file_that_would_replace_a_directory_has_another_name(
    recording: NewRecording, objects: FakeObjects, directory: Path
) -> None:
    """The other way round."""
    _add(recording, objects, "a/b")
    _add(recording, objects, "a")
    places = object_paths(directory / "objects", BUCKET, "a")

    assert b"content of a/b" == (places[0] / "b").read_bytes()
    assert b"content of a" == places[-1].read_bytes()


def test_an_object_is_where_the_recorded_message_says_it_is(
    recording: NewRecording, objects: FakeObjects, directory: Path
) -> None:
    """Its name may be redacted."""
    recording.add(a_message(), [(an_object_ref(key="a"), an_object_ref(key="z", bucket="there"))], objects, _pass)

    assert {"there/z": b"content of a"} == _files(directory)


def test_an_object_that_two_messages_name_is_copied_once(
    recording: NewRecording, objects: FakeObjects, directory: Path
) -> None:
    """In the same message, too."""
    _add(recording, objects, "a", "a", message_id="message-1")
    _add(recording, objects, "a", message_id="message-2")

    assert 1 == len(objects.opens)
    assert [12] == recording.sizes
    assert ["message-1", "message-2"] == _ids(directory)


@pytest.mark.parametrize("other", [an_object_ref(key="b", version_id="2"), an_object_ref(key="a")])
def test_what_would_replace_another_object_or_version_is_refused(
    recording: NewRecording, objects: FakeObjects, directory: Path, other: ObjectRef
) -> None:
    """A replay would find one in the place of the other."""
    told = an_object_ref(key="b")
    _add(recording, objects, "b")

    with pytest.raises(NotRecordableError, match="holds another version, or another object"):
        recording.add(a_message(message_id="message-2"), [(other, told)], objects, _pass)
    assert ["message-1"] == _ids(directory)
    assert {f"{BUCKET}/b": b"content of b"} == _files(directory)


def test_a_message_whose_object_is_gone_is_recorded_without_it(
    recording: NewRecording, objects: FakeObjects, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A replay finds it gone, too. It is said, and counted once."""
    _add(recording, objects, "gone", "b")
    _add(recording, objects, "gone", message_id="message-2")

    assert ["message-1", "message-2"] == _ids(directory)
    assert {f"{BUCKET}/b": b"content of b"} == _files(directory)
    assert (1, [12]) == (recording.gone, recording.sizes)
    assert [f"s3://{BUCKET}/gone is gone in S3; its message is recorded without it"] == caplog.messages


def test_a_message_is_recorded_with_all_its_objects_or_not_at_all(
    recording: NewRecording, objects: FakeObjects, directory: Path
) -> None:
    """What was copied for it already is removed, but not what another one has."""
    _add(recording, objects, "a")
    objects.put(BUCKET, "forbidden", b"")

    class _Forbidding(FakeObjects):
        def open(self, ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> FakeOpenObject:
            if ref.key == "forbidden":
                raise ForbiddenError("403")
            return objects.open(ref, offset=offset, if_match=if_match)

    with pytest.raises(ForbiddenError):
        _add(recording, _Forbidding(), "a", "b", "gone", "forbidden", message_id="message-2")
    assert ["message-1"] == _ids(directory)
    assert {f"{BUCKET}/a": b"content of a"} == _files(directory)
    assert (1, [12], 0) == (recording.messages, recording.sizes, recording.gone)
    _add(recording, objects, "b", message_id="message-3")
    assert [12, 12] == recording.sizes


def test_an_object_over_the_limit_is_refused_before_it_is_read(recording: NewRecording, objects: FakeObjects) -> None:
    """With both values."""
    objects.put(BUCKET, "large", bytes(1001))
    objects.put(BUCKET, "largest", bytes(1000))
    _add(recording, objects, "largest")

    with pytest.raises(TooLargeError, match="--max_object_bytes is 1,000; the object has 1,001 bytes"):
        _add(recording, objects, "large")


def test_a_transfer_that_breaks_resumes(recording: NewRecording, objects: FakeObjects, directory: Path) -> None:
    """As that of the job."""
    objects.fail_next(UnavailableError("503"), after_bytes=5)
    _add(recording, objects, "a")

    assert {f"{BUCKET}/a": b"content of a"} == _files(directory)


def test_the_check_can_end_a_copy_in_its_middle(recording: NewRecording, objects: FakeObjects, directory: Path) -> None:
    """Nothing of it is left."""
    calls = []

    def check() -> None:
        calls.append(len(calls))
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recording.add(a_message(), [(an_object_ref(key="a"), an_object_ref(key="a"))], objects, check)
    assert ["messages.jsonl"] == [path.name for path in directory.rglob("*")]


def test_the_check_can_end_a_copy_whose_transfer_broke(recording: NewRecording, objects: FakeObjects) -> None:
    """Before it is resumed."""
    objects.fail_next(UnavailableError("503"), after_bytes=0)
    calls = []

    def check() -> None:
        calls.append(len(calls))
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recording.add(a_message(), [(an_object_ref(key="a"), an_object_ref(key="a"))], objects, check)
    assert 1 == len(objects.opens)


def test_a_recording_is_never_mixed_with_another(recording: NewRecording, directory: Path) -> None:
    """Nor with anything else that is there."""
    before = sorted(directory.iterdir())

    with pytest.raises(UserError, match="which is not empty; name a new directory for each recording"):
        NewRecording(directory, max_object_bytes=1)
    assert before == sorted(directory.iterdir())


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    """Somebody may have made it."""
    NewRecording(tmp_path, max_object_bytes=1).close()


def test_a_place_that_cannot_be_a_directory_is_one_sentence(tmp_path: Path) -> None:
    """Before anything is received."""
    (tmp_path / "file").write_text("")

    with pytest.raises(UserError, match=r"file, which cannot be written: File exists"):
        NewRecording(tmp_path / "file", max_object_bytes=1)


def test_where_nothing_was_recorded_the_directory_is_empty_again(
    recording: NewRecording, objects: FakeObjects, directory: Path
) -> None:
    """Another try need not name another one."""
    with pytest.raises(NotRecordableError):
        recording.add(
            a_message(),
            [(an_object_ref(key="a"), an_object_ref(key="x")), (an_object_ref(key="b"), an_object_ref(key="x"))],
            objects,
            _pass,
        )
    recording.close()

    assert [] == list(directory.iterdir())


@contextmanager
def _a_full_disk(room: int) -> Iterator[None]:
    """No file can have more than so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_line_that_the_disk_has_no_room_for_is_not_there(
    recording: NewRecording, objects: FakeObjects, directory: Path
) -> None:
    """Not even a part of it: what is recorded can be read."""
    _add(recording, objects)
    size = (directory / "messages.jsonl").stat().st_size

    with _a_full_disk(size + 20), pytest.raises(WriteFailedError, match="cannot be written: File too large"):
        _add(recording, objects, message_id="message-2")
    _add(recording, objects, message_id="message-3")

    assert ["message-1", "message-3"] == _ids(directory)


def test_an_object_that_the_disk_has_no_room_for_is_not_there(
    recording: NewRecording, objects: FakeObjects, directory: Path
) -> None:
    """Nor is its message."""
    objects.put(BUCKET, "a", bytes(900))
    _add(recording, objects, "b")

    with _a_full_disk(600), pytest.raises(WriteFailedError, match="cannot be written: File too large"):
        _add(recording, objects, "a", message_id="message-2")

    assert ["message-1"] == _ids(directory)
    assert {f"{BUCKET}/b": b"content of b"} == _files(directory)
    assert ["messages.jsonl", "objects"] == sorted(path.name for path in directory.iterdir())
