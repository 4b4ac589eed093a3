"""What is sent for a dead letter is read by the job as the reference that failed, and as nothing else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.builders import (
    BUCKET,
    QUEUE_URL,
    RECEIVED_AT,
    a_message,
    a_notification,
    an_eventbridge_event,
    an_s3_record,
    an_sns_envelope,
)
from transforms.dead_letter_box import DeadLetter, read_dead_letter
from transforms.dead_letters import dead_letter_document
from transforms.failures import CorruptGzipError
from transforms.notifications import AdmissionRules, parse_message
from transforms.records import Failure, ObjectRef
from transforms.redriving import body_alone

if TYPE_CHECKING:
    from collections.abc import Callable

    from transforms.records import Finished

NO_RULES = AdmissionRules()
FIELDS = ("bucket", "key", "version_id", "etag", "size", "sequencer", "event_name", "event_time", "region")


def _parse(body: str, rules: AdmissionRules = NO_RULES) -> list[ObjectRef | Finished | Failure]:
    return parse_message(a_message(body=body), queue_url=QUEUE_URL, received_at=RECEIVED_AT, rules=rules)


def _letter(body: str, index: int = 0, rules: AdmissionRules = NO_RULES) -> DeadLetter:
    """What lies there when the job has set aside one record of `body`."""
    record = _parse(body, rules)[index]
    failure = Failure.of(record, CorruptGzipError("no")) if isinstance(record, ObjectRef) else record
    assert isinstance(failure, Failure)
    return read_dead_letter("a.json", dead_letter_document(failure, failed_at=datetime(2026, 1, 2, tzinfo=UTC)))


def _fields(ref: object) -> dict[str, object]:
    return {name: getattr(ref, name) for name in FIELDS}


@pytest.mark.parametrize("key", ["a.gz", "a b+c%41.gz", "ü/日本/\u2028", "/", "a//../b", "x" * 1024, "&=?#\x00"])
@pytest.mark.parametrize(
    "make",
    [
        lambda key: a_notification(key, version_id="v.1", sequencer="0A"),
        lambda key: a_notification(key, etag=None, size=None),
        lambda key: an_eventbridge_event(key, version_id="v.1", sequencer="0A"),
        lambda key: an_eventbridge_event(key, reason="unheard of"),
        lambda key: an_sns_envelope(a_notification(key)),
    ],
    ids=["raw", "raw and bare", "EventBridge", "EventBridge, odd reason", "SNS"],
)
def test_the_job_reads_what_is_sent_as_the_reference_that_failed(key: str, make: Callable[[str], str]) -> None:
    """Every field of it, whatever envelope the first one came in."""
    body = make(key)

    (again,) = _parse(body_alone(_letter(body), NO_RULES))

    assert _fields(_parse(body)[0]) == _fields(again)


def test_of_a_message_with_several_records_only_the_failed_one_is_sent() -> None:
    """The others have left by a door of their own."""
    body = a_notification("a.gz", "b c.gz", "d.gz")

    (again,) = _parse(body_alone(_letter(body, 1), NO_RULES))

    assert isinstance(again, ObjectRef)
    assert "b c.gz" == again.key


def test_an_unreadable_record_among_others_is_sent_alone_as_it_is() -> None:
    """Perhaps a later version reads it."""
    odd = an_s3_record("b.gz", event_version="3.0")
    body = json.dumps({"Records": [an_s3_record("a.gz"), odd]})

    assert {"Records": [odd]} == json.loads(body_alone(_letter(body, 1), NO_RULES))


@pytest.mark.parametrize("body", ["not JSON", "", '{"Message": 1}', "{\ud800}", json.dumps({"Records": [1]})])
def test_an_unreadable_message_is_sent_as_it_came(body: str) -> None:
    """To the character."""
    assert body == body_alone(_letter(body), NO_RULES)


def _rules(parser: Callable[[str], list[dict[str, str]] | None]) -> AdmissionRules:
    return AdmissionRules(parser=parser, parser_name="ours:parse")


def test_a_parser_that_leaves_notifications_to_the_job_gets_the_record_alone() -> None:
    """Its own format may hold several."""
    rules = _rules(lambda body: [{"bucket": BUCKET, "key": key} for key in body.split()] if body[0] != "{" else None)

    (again,) = _parse(body_alone(_letter("a.gz b.gz", 1, rules), rules), rules)

    assert isinstance(again, ObjectRef)
    assert "b.gz" == again.key


def test_a_parser_that_would_not_understand_us_gets_the_original_body() -> None:
    """All of the message is done again, which is better than none."""
    rules = _rules(lambda body: [{"bucket": BUCKET, "key": key} for key in body.split()])

    assert "a.gz b.gz" == body_alone(_letter("a.gz b.gz", 1, rules), rules)
