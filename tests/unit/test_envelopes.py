"""What is inside a body: every format AWS sends, every record of it, and a sentence for what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import (
    ETAG,
    EVENT_TIME,
    a_delivery,
    a_notification,
    a_test_event,
    an_eventbridge_envelope,
    an_eventbridge_event,
    an_object_ref,
    an_s3_record,
    an_sns_envelope,
)
from transforms.envelopes import MAX_ENVELOPES, MAX_RECORDS, open_body
from transforms.failures import FinishedKind, UnreadableNotificationError
from transforms.records import ObjectRef


def _read(body: str) -> list[ObjectRef | FinishedKind]:
    contents = open_body(body)
    return [contents.read(record, a_delivery(), index) for index, record in enumerate(contents.records)]


def _key_of(body: str) -> str:
    (ref,) = _read(body)
    assert isinstance(ref, ObjectRef)
    return ref.key


def _with(record: dict[str, Any], **changes: Any) -> str:  # noqa: ANN401 - anything at all is the point
    return json.dumps({"Records": [record | changes]})


def _complaint_about(body: str) -> str:
    with pytest.raises(UnreadableNotificationError) as raised:
        _read(body)
    return raised.value.detail


def test_a_raw_notification_gives_everything_s3_says_of_the_object() -> None:
    """With versioning, so every field is there."""
    body = a_notification("a.gz", version_id="v1", size=7, sequencer="0055AED6DCD90281E5")

    assert [an_object_ref(key="a.gz", version_id="v1", size=7, sequencer="0055AED6DCD90281E5")] == _read(body)


def test_an_eventbridge_event_gives_the_same_as_a_raw_notification() -> None:
    """Its names are spelt otherwise."""
    body = an_eventbridge_event("a.gz", version_id="v1", size=7, sequencer="0055AED6DCD90281E5")

    assert [an_object_ref(key="a.gz", version_id="v1", size=7, sequencer="0055AED6DCD90281E5")] == _read(body)


def test_every_record_of_a_notification_counts_not_the_first() -> None:
    """Trap a: three of the peers read `Records[0]` only."""
    refs = [an_object_ref(key="a", index=0), an_object_ref(key="b", index=1), an_object_ref(key="c", index=2)]

    assert refs == _read(a_notification("a", "b", "c"))


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("red+flower.jpg", "red flower.jpg"),
        ("a%2Bb.gz", "a+b.gz"),
        ("100%25.gz", "100%.gz"),
        ("dt%3D2026-01-02/%C3%BC%E6%97%A5.gz", "dt=2026-01-02/ü日.gz"),
        ("%F0%9F%A6%86", "🦆"),
        ("a%0Ab", "a\nb"),
        ("%252B", "%2B"),
        ("é%zz%", "é%zz%"),
    ],
)
def test_the_key_of_a_raw_notification_is_form_encoded(encoded: str, key: str) -> None:
    """Decoded once; what only a stand-in would send unencoded stays as it is."""
    record = an_s3_record()
    record["s3"]["object"]["key"] = encoded

    assert key == _key_of(json.dumps({"Records": [record]}))


@pytest.mark.parametrize("key", ["a+b.gz", "100%.gz", "a%2Bb.gz", "red flower.jpg", "ü日🦆"])
def test_the_key_of_an_eventbridge_event_is_not_decoded(key: str) -> None:
    """Trap i: four of the peers decode it and look for another object."""
    assert key == _key_of(an_eventbridge_event(key))


@pytest.mark.parametrize("encoded", ["%ff", "%C3", "%ED%A0%80"])
def test_a_key_that_is_not_utf8_when_decoded_is_unreadable(encoded: str) -> None:
    """A replacement character would name another object."""
    record = an_s3_record()
    record["s3"]["object"]["key"] = encoded

    assert f"the key '{encoded}' is not form-encoded UTF-8" == _complaint_about(json.dumps({"Records": [record]}))


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.10", "2"])
def test_every_minor_version_of_2_is_read(version: str) -> None:
    """Trap j: S3 raises the minor version for what it adds."""
    assert [an_object_ref()] == _read(a_notification(event_version=version))


def test_a_record_that_is_clearly_of_s3_needs_no_version() -> None:
    """Hand-made notifications often have none."""
    record = an_s3_record()
    del record["eventVersion"]

    assert [an_object_ref()] == _read(json.dumps({"Records": [record]}))


@pytest.mark.parametrize(
    ("version", "named"),
    [("1.0", "'1.0'"), ("3.0", "'3.0'"), ("20.1", "'20.1'"), ("", "''"), (None, "null or missing"), (3, "3")],
)
def test_another_major_version_is_unreadable_and_named(version: object, named: str) -> None:
    """Whatever it means by its fields, it is not what is known here."""
    expected = f"eventVersion is {named}; 2.0 and every later 2.x is known here"

    assert expected == _complaint_about(_with(an_s3_record(), eventVersion=version))


@pytest.mark.parametrize("name", ["ObjectCreated:Put", "s3:ObjectCreated:Put"])
def test_the_event_name_may_have_its_prefix(name: str) -> None:
    """S3 says it in its documentation and not in its notifications; MinIO sends it."""
    assert [an_object_ref(event_name="ObjectCreated:Put")] == _read(a_notification(event_name=name))


@pytest.mark.parametrize(
    "name", ["ObjectRemoved:Delete", "s3:ObjectRemoved:Delete", "ObjectRestore:Post", "Replication"]
)
def test_what_was_not_created_has_nothing_to_do(name: str) -> None:
    """Trap g: a removed object would be fetched in vain."""
    assert [FinishedKind.NOT_CREATED] == _read(a_notification(event_name=name))


@pytest.mark.parametrize("name", [None, "", 5])
def test_without_an_event_name_nobody_knows_what_happened(name: object) -> None:
    """It must not be acknowledged without a trace."""
    assert "eventName is" in _complaint_about(_with(an_s3_record(), eventName=name))


@pytest.mark.parametrize("detail_type", ["Object Deleted", "Object Restore Completed", "AWS API Call via CloudTrail"])
def test_another_event_of_s3_on_eventbridge_has_nothing_to_do(detail_type: str) -> None:
    """Only `Object Created` speaks of a new object."""
    assert [FinishedKind.NOT_CREATED] == _read(an_eventbridge_event(detail_type=detail_type))


def test_an_object_created_event_may_be_sent_again_under_another_source() -> None:
    """Nobody but AWS may put events whose source begins with `aws.`."""
    assert [an_object_ref()] == _read(an_eventbridge_event(source="our.replay"))


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("PutObject", "ObjectCreated:Put"),
        ("POST Object", "ObjectCreated:Post"),
        ("CopyObject", "ObjectCreated:Copy"),
        ("CompleteMultipartUpload", "ObjectCreated:CompleteMultipartUpload"),
        ("SomethingNew", "ObjectCreated"),
        (None, "ObjectCreated"),
    ],
)
def test_the_reason_of_an_eventbridge_event_is_said_in_the_words_of_a_raw_one(reason: Any, name: str) -> None:  # noqa: ANN401
    """So that whoever reads the record need not know how it came."""
    assert [an_object_ref(event_name=name)] == _read(an_eventbridge_event(reason=reason))


@pytest.mark.parametrize("body", [a_test_event(), an_sns_envelope(a_test_event())])
def test_a_test_event_is_recognised_raw_and_in_sns(body: str) -> None:
    """S3 sends one whenever a notification is configured."""
    assert [FinishedKind.TEST_EVENT] == _read(body)


def test_an_empty_list_of_records_has_nothing_to_do() -> None:
    """It still counts as one record, so its message is settled."""
    assert [FinishedKind.NOT_CREATED] == _read('{"Records": []}')


@pytest.mark.parametrize(
    "body",
    [
        an_sns_envelope(a_notification()),
        an_sns_envelope(an_sns_envelope(a_notification())),
        an_sns_envelope(an_eventbridge_event()),
        an_eventbridge_envelope(json.loads(a_notification())),
        an_eventbridge_envelope(json.loads(an_sns_envelope(an_eventbridge_event()))),
        an_sns_envelope(an_eventbridge_envelope(json.loads(an_sns_envelope(a_notification())))),
    ],
)
def test_envelopes_may_be_wrapped_in_any_order(body: str) -> None:
    """A topic may feed a bus, a bus a topic."""
    assert [an_object_ref()] == _read(body)


def test_envelopes_are_opened_up_to_a_limit() -> None:
    """Nobody has that many but somebody who means harm."""
    body = a_notification()
    for _ in range(MAX_ENVELOPES):
        body = an_eventbridge_envelope(json.loads(body))

    assert [an_object_ref()] == _read(body)
    assert "more than 8 envelopes" in _complaint_about(an_eventbridge_envelope(json.loads(body)))


def test_an_sns_message_without_records_is_unreadable() -> None:
    """Trap n: a peer deletes it."""
    complaint = _complaint_about(an_sns_envelope('{"alarm": "on"}'))

    assert "no notification that is known here: a JSON object of 'alarm'" == complaint


def test_an_unconfirmed_subscription_says_so() -> None:
    """The dead letter has the URL that confirms it."""
    body = json.dumps({"Type": "SubscriptionConfirmation", "TopicArn": "arn:t", "Message": "You have chosen"})

    assert "SNS 'SubscriptionConfirmation' of topic 'arn:t'" == _complaint_about(body)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("", "the message is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("hello", "the message is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ("null", "the message is not a JSON object but null or missing"),
        ("[]", "the message is not a JSON object but of type list"),
        ('"{}"', "the message is not a JSON object but '{}'"),
        ("NaN", "the message is not a JSON object but of type float"),
        ("{}", "no notification that is known here: a JSON object of nothing"),
        ('{"Records": {}}', "no notification that is known here: a JSON object of 'Records'"),
        ('{"Message": "{}"}', "no notification that is known here: a JSON object of 'Message'"),
        ('{"Records": [5]}', "the record is not a JSON object but 5"),
        ('{"Records": [{}]}', "s3 is not a JSON object but null or missing"),
        (an_sns_envelope("hello"), "the SNS Message is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (an_eventbridge_envelope({}, source="aws.ec2"), "no notification that is known here: a JSON object of nothing"),
        ("[" * 100_000, "the message is JSON nested too deeply"),
        ('{"a":' * 100_000, "the message is JSON nested too deeply"),
    ],
)
def test_what_is_no_notification_is_a_sentence(body: str, complaint: str) -> None:
    """For whoever finds it among the dead letters."""
    assert complaint == _complaint_about(body)


def test_a_number_of_more_digits_than_python_converts_is_a_sentence() -> None:
    """`json` raises a bare ValueError."""
    assert "the message is not JSON: Exceeds the limit" in _complaint_about('{"Records": %s}' % ("9" * 5000))


@pytest.mark.parametrize("name", ["object", "bucket"])
@pytest.mark.parametrize("value", [None, 5, "a", []])
def test_a_record_without_an_object_or_a_bucket_is_unreadable(name: str, value: object) -> None:
    """Whatever stands in its place."""
    record = an_s3_record()
    record["s3"][name] = value

    assert f"s3.{name} is not a JSON object" in _complaint_about(json.dumps({"Records": [record]}))


@pytest.mark.parametrize("name", ["object", "bucket"])
def test_an_eventbridge_event_without_an_object_or_a_bucket_is_unreadable(name: str) -> None:
    """An event of that name with something else inside."""
    event = json.loads(an_eventbridge_event())
    del event["detail"][name]

    assert f"detail.{name} is not a JSON object but null or missing" == _complaint_about(json.dumps(event))


def test_what_moto_leaves_out_is_missing_in_the_reference_alone() -> None:
    """No version id, no sequencer; a size and an ETag."""
    (ref,) = _read(a_notification())
    assert isinstance(ref, ObjectRef)

    assert (None, None, ETAG, EVENT_TIME) == (ref.version_id, ref.sequencer, ref.etag, ref.event_time)


def test_of_a_name_given_twice_the_last_counts() -> None:
    """As JSON readers do; S3 never sends it."""
    body = a_notification("first").replace('"key": "first"', '"key": "first", "key": "last"')

    assert "last" == _key_of(body)


def test_a_message_of_more_records_than_anybody_sends_is_one_failure() -> None:
    """Each would take a copy of the whole message along: 256 KiB can say a hundred thousand of them."""
    assert MAX_RECORDS == len(open_body(json.dumps({"Records": [0] * MAX_RECORDS})).records)
    with pytest.raises(UnreadableNotificationError, match=r"1,001 records; 1,000 are allowed"):
        open_body(json.dumps({"Records": [0] * (MAX_RECORDS + 1)}))
