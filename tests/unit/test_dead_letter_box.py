"""Dead letters are read back whole; whatever else lies there is left alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import a_delivery, an_object_ref
from tests.fakes import FakeStore
from transforms.dead_letter_box import DeadLetterBox, read_dead_letter
from transforms.dead_letters import dead_letter_document
from transforms.failures import CorruptGzipError, ObjectGoneError, UnreadableNotificationError, WriteFailedError
from transforms.records import Failure

if TYPE_CHECKING:
    from transforms.failures import RecordError
    from transforms.records import Delivery, ObjectRef

FAILED_AT = datetime(2026, 1, 2, 3, 4, 8, 900000, tzinfo=UTC)


def _document(source: ObjectRef | Delivery, error: RecordError, failed_at: datetime = FAILED_AT) -> bytes:
    return dead_letter_document(Failure.of(source, error), failed_at=failed_at)


def test_a_dead_letter_is_read_back_as_it_was() -> None:
    """Half a surrogate pair in the body, too."""
    ref = an_object_ref(
        delivery=a_delivery(receipt_handle=None, body="{\ud800}"), index=1, version_id="v", sequencer="0A"
    )

    letter = read_dead_letter("a.json", _document(ref, CorruptGzipError("bad CRC")))

    assert (ref, 1, "corrupt_gzip", "bad CRC", FAILED_AT) == (
        letter.ref,
        letter.index,
        letter.kind,
        letter.detail,
        letter.failed_at,
    )
    assert "s3://source-bucket/logs/2026/01/02/a.gz" == letter.subject


def test_a_dead_letter_of_an_unreadable_message_is_about_the_message() -> None:
    """There is no object that it could name."""
    letter = read_dead_letter("a.json", _document(a_delivery(), UnreadableNotificationError("no")))

    assert (None, "message message-1") == (letter.ref, letter.subject)


@pytest.mark.parametrize(
    "changes",
    [
        {"body": None},
        {"index": "0"},
        {"failed_at": "yesterday"},
        {"failed_at": "0001-01-01T00:00:00+23:00"},
        {"reference": "s3://a/b"},
        {"reference": {"bucket": "a/b", "key": "k"}},
    ],
)
def test_what_lacks_a_part_or_has_another_in_its_place_is_no_dead_letter(changes: dict[str, Any]) -> None:
    """Nothing half understood is sent anywhere."""
    document = json.loads(_document(an_object_ref(), CorruptGzipError("no"))) | changes

    with pytest.raises(ValueError, match=next(iter(changes))):
        read_dead_letter("a.json", json.dumps(document).encode())


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b"[" * 100_000, b'{"line_count": 3}'])
def test_a_file_that_is_no_dead_letter_is_skipped_with_a_warning(
    content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """And stays."""
    store = FakeStore()
    store.put("notes.json", content)
    store.put("real-0.json", _document(an_object_ref(), CorruptGzipError("no")))

    names = [letter.name for letter in DeadLetterBox(store)]

    assert ["real-0.json"] == names
    assert "skipped notes.json, which is no dead letter" in caplog.text
    assert store.exists("notes.json")


def test_results_in_the_same_store_are_not_even_read(caplog: pytest.LogCaptureFixture) -> None:
    """Their names have folders."""
    store = FakeStore()
    store.put("bucket/a.gz.digest.json", b"{}")

    assert ([], "") == (list(DeadLetterBox(store)), caplog.text)


def test_only_the_kinds_and_the_time_that_were_asked_for() -> None:
    """The moment itself counts."""
    store = FakeStore()
    early = datetime(2026, 1, 1, tzinfo=UTC)
    store.put("a.json", _document(an_object_ref(), CorruptGzipError("no"), early))
    store.put("b.json", _document(an_object_ref(), CorruptGzipError("no")))
    store.put("c.json", _document(an_object_ref(), ObjectGoneError("no")))

    of_kind = [letter.name for letter in DeadLetterBox(store, kinds=frozenset({"corrupt_gzip"}))]
    since = [letter.name for letter in DeadLetterBox(store, since=FAILED_AT)]

    assert (["a.json", "b.json"], ["b.json", "c.json"]) == (of_kind, since)


class _FailingStore(FakeStore):
    def get(self, name: str) -> bytes:
        raise WriteFailedError(f"cannot read {name}")


class _VanishingStore(FakeStore):
    def get(self, name: str) -> bytes:
        self.delete(name)
        raise WriteFailedError(f"cannot read {name}")


class _SilentStore(_FailingStore):
    def exists(self, name: str) -> bool:
        raise WriteFailedError(f"cannot look for {name}")


@pytest.mark.parametrize(
    ("store", "unread"),
    [(_FailingStore(), 1), (_SilentStore(), 1), (_VanishingStore(), 0)],
    ids=["denied", "down", "put back"],
)
def test_what_cannot_be_read_is_counted_but_not_what_somebody_else_put_back(store: FakeStore, unread: int) -> None:
    """Two people may redrive at once."""
    store.put("a.json", b"{}")
    box = DeadLetterBox(store)

    assert ([], unread) == (list(box), box.unread)
