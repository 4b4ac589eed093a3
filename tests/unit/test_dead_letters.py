"""A dead letter is complete enough to understand and to replay."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.builders import BUCKET, ETAG, KEY, QUEUE_URL, a_delivery, a_notification, an_object_ref
from transforms.dead_letters import dead_letter_document
from transforms.failures import CorruptGzipError, ProcessorError, RecordError, UnreadableNotificationError
from transforms.records import Delivery, Failure, ObjectRef

FAILED_AT = datetime(2026, 1, 2, 3, 4, 8, 900000, tzinfo=UTC)


def _letter(source: ObjectRef | Delivery, error: RecordError) -> dict[str, Any]:
    letter: dict[str, Any] = json.loads(dead_letter_document(Failure.of(source, error), failed_at=FAILED_AT))
    return letter


def _divide_by_zero() -> float:
    return 1 / 0


def test_a_dead_letter_says_what_failed_why_and_when() -> None:
    """Every field that docs/failures.md explains, and no other."""
    body = a_notification("other.gz", KEY)
    delivery = a_delivery(receive_count=5, records=2, body=body)
    ref = an_object_ref(delivery=delivery, index=1, version_id="v1", sequencer="0A")

    letter = _letter(ref, CorruptGzipError("CRC is 1, the trailer says 2"))

    expected = {
        "message_id": "message-1",
        "index": 1,
        "kind": "corrupt_gzip",
        "detail": "CRC is 1, the trailer says 2",
        "exception_class": "transforms.failures.CorruptGzipError",
        "traceback": None,
        "receive_count": 5,
        "sent_at": "2026-01-02T03:04:06.000Z",
        "received_at": "2026-01-02T03:04:07.000Z",
        "failed_at": "2026-01-02T03:04:08.900Z",
        "queue_url": QUEUE_URL,
        "reference": {
            "bucket": BUCKET,
            "key": KEY,
            "version_id": "v1",
            "etag": ETAG,
            "size": 1024,
            "sequencer": "0A",
            "event_name": "ObjectCreated:Put",
            "event_time": "2026-01-02T03:04:05.678Z",
            "region": "eu-west-1",
        },
        "body": body,
    }
    assert expected == letter


def test_a_dead_letter_has_the_traceback_of_the_users_code() -> None:
    """With the line that raised."""
    try:
        _divide_by_zero()
    except ZeroDivisionError as cause:
        error = ProcessorError("ZeroDivisionError: division by zero")
        error.__cause__ = cause

    letter = _letter(an_object_ref(), error)

    assert "ZeroDivisionError" == letter["exception_class"]
    assert "return 1 / 0" in letter["traceback"]


def test_a_traceback_keeps_its_beginning_whatever_the_function_raised() -> None:
    """A megabyte of message must not push out the line that raised it."""
    error = ProcessorError("ValueError: z…")
    error.__cause__ = ValueError("z" * 1_000_000 + "the end")

    letter = _letter(an_object_ref(), error)

    assert letter["traceback"].startswith("ValueError: zzz")
    assert letter["traceback"].endswith("the end\n")
    assert len(letter["traceback"]) < 21_000


def test_an_unreadable_message_has_no_reference_but_its_body() -> None:
    """Any text that SQS may deliver comes back as it was; so does half a surrogate pair from a local stand-in."""
    body = 'not JSON: ü \u2028 \x00 \ud800 "'

    letter = _letter(a_delivery(body=body), UnreadableNotificationError("not JSON"))

    assert letter["reference"] is None
    assert body == letter["body"]


def test_an_event_time_may_be_missing() -> None:
    """Not every sender says it."""
    letter = _letter(an_object_ref(event_time=None), CorruptGzipError("no"))

    assert letter["reference"]["event_time"] is None
