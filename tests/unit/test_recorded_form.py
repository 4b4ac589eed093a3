"""What is recorded of a message is what the job's own parser reads, redacted or not."""

from __future__ import annotations

import json

import pytest

from tests.builders import BUCKET, KEY, QUEUE_URL, a_message, a_notification
from transforms.notifications import AdmissionRules
from transforms.recorded_form import NotRecordableError, RecordedForm
from transforms.redaction import Redaction

ACCOUNT = "123456789012"


def test_without_redaction_a_message_is_told_as_it_is() -> None:
    """Each record that names an object is a pair of equals."""
    message = a_message(body=a_notification("a", "b"))
    told, pairs = RecordedForm(AdmissionRules(), None, queue_url=QUEUE_URL).of(message)

    assert told is message
    assert [("a", "a"), ("b", "b")] == [(ref.key, told_ref.key) for ref, told_ref in pairs]


def test_what_cannot_be_read_and_what_is_not_let_in_names_no_object() -> None:
    """The message is told all the same."""
    rules = AdmissionRules(buckets=frozenset({BUCKET}), key_globs=("logs/*",))
    form = RecordedForm(rules, Redaction(), queue_url=QUEUE_URL)
    bodies = ["nothing", a_notification(bucket="another"), a_notification("other/a", KEY)]
    told = [form.of(a_message(body=body)) for body in bodies]

    assert "nothing" == told[0][0].body
    assert [[], [], [KEY]] == [[ref.key for ref, _ in pairs] for _, pairs in told]


def test_a_redacted_message_says_where_its_objects_are_then() -> None:
    """Also where buckets that are let in have other names in it."""
    rules = AdmissionRules(buckets=frozenset({f"logs-{ACCOUNT}"}))
    message = a_message(body=a_notification(f"{ACCOUNT}/a", bucket=f"logs-{ACCOUNT}"))
    told, [(ref, told_ref)] = RecordedForm(rules, Redaction(names=True), queue_url=QUEUE_URL).of(message)

    assert (f"logs-{ACCOUNT}", f"{ACCOUNT}/a") == (ref.bucket, ref.key)
    assert ("logs-999900000001", "999900000001/a") == (told_ref.bucket, told_ref.key)
    assert ACCOUNT not in told.body
    assert (message.message_id, message.sent_at) == (told.message_id, told.sent_at)


def test_a_format_of_the_users_own_is_read_by_the_users_own_parser() -> None:
    """Before redaction, and after it."""
    rules = AdmissionRules(parser=lambda body: [{"bucket": "b", "key": json.loads(body)["path"]}], parser_name="x")
    message = a_message(body=json.dumps({"path": f"in/{ACCOUNT}"}))
    _, [(ref, told_ref)] = RecordedForm(rules, Redaction(), queue_url=QUEUE_URL).of(message)

    assert (f"in/{ACCOUNT}", "in/999900000001") == (ref.key, told_ref.key)


def test_a_message_that_redaction_makes_unreadable_is_not_told() -> None:
    """A signed format, say."""
    parser = {"token": "x"}
    rules = AdmissionRules(parser=lambda body: [{"bucket": "b", "key": "k"}] * (json.loads(body) == parser))

    with pytest.raises(NotRecordableError, match="record it without --redact"):
        RecordedForm(rules, Redaction(), queue_url=QUEUE_URL).of(a_message(body=json.dumps(parser)))
