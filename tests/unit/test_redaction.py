"""Redaction takes out who and where, the same way everywhere, and leaves the rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import (
    BUCKET,
    KEY,
    a_notification,
    a_test_event,
    an_eventbridge_envelope,
    an_eventbridge_event,
    an_s3_record,
    an_sns_envelope,
)
from transforms.redaction import Redaction

ACCOUNT = "123456789012"


def _redacted(body: str, *, names: bool = False) -> Any:  # noqa: ANN401 - JSON
    return json.loads(Redaction(names=names).redact(body))


def test_a_notification_keeps_what_names_its_object_and_loses_who_did_it() -> None:
    """Every field as S3 writes it."""
    record = an_s3_record(size=123456789012, version_id="v.123456789012", etag="0" * 20 + ACCOUNT, sequencer=ACCOUNT)
    record |= {
        "requestParameters": {"sourceIPAddress": "198.51.100.7"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQ=="},
    }
    expected = {
        **record,
        "userIdentity": {"principalId": "redacted-principal-1"},
        "requestParameters": {"sourceIPAddress": "240.0.0.1"},
        "responseElements": {"x-amz-request-id": "redacted-request-1", "x-amz-id-2": "redacted-request-2"},
        "s3": record["s3"]
        | {"bucket": record["s3"]["bucket"] | {"ownerIdentity": {"principalId": "redacted-principal-2"}}},
    }

    assert {"Records": [expected]} == _redacted(json.dumps({"Records": [record]}))


def test_an_sns_envelope_loses_its_topic_and_its_signature_and_so_does_what_is_in_it() -> None:
    """JSON within strings is JSON."""
    envelope = json.loads(an_sns_envelope())
    envelope |= {
        "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/cert.pem",
        "UnsubscribeURL": f"https://sns.eu-west-1.amazonaws.com/?SubscriptionArn=arn:aws:sns:eu-west-1:{ACCOUNT}:t:1",
    }
    redacted = _redacted(json.dumps(envelope))
    inner = json.loads(redacted["Message"])

    assert "arn:aws:sns:us-east-1:999900000000:redacted-topic-1" == redacted["TopicArn"]
    assert ["redacted-1", "redacted-2", "redacted-3"] == [
        redacted[name] for name in ("Signature", "SigningCertURL", "UnsubscribeURL")
    ]
    assert "redacted-principal-1" == inner["Records"][0]["userIdentity"]["principalId"]
    assert envelope["MessageId"] == redacted["MessageId"]


def test_an_eventbridge_event_loses_its_accounts_and_its_address() -> None:
    """`account` and `requester` are the same account, and stay the same."""
    event = json.loads(an_eventbridge_event())
    event["detail"]["source-ip-address"] = "2001:db8:85a3::8a2e:370:7334"
    redacted = _redacted(json.dumps(event))

    assert "999900000001" == redacted["account"] == redacted["detail"]["requester"]
    assert "redacted-request-1" == redacted["detail"]["request-id"]
    assert "240.0.0.1" == redacted["detail"]["source-ip-address"]
    assert event["detail"]["object"] == redacted["detail"]["object"]


def test_a_test_event_loses_its_request_and_host() -> None:
    """It is all that is secret in it."""
    event = json.loads(a_test_event())

    assert event | {"RequestId": "redacted-request-1", "HostId": "redacted-request-2"} == _redacted(a_test_event())


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        (f"account {ACCOUNT}, again {ACCOUNT}", "account 999900000001, again 999900000001"),
        (f"x{ACCOUNT}y", "x999900000001y"),
        ("1234567890123 and 12345678901", "1234567890123 and 12345678901"),
        (f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q", "arn:aws:sqs:eu-west-1:999900000001:q"),
        (f"arn:aws:iam::{ACCOUNT}:user/Bob by", "redacted-principal-1 by"),
        (f"arn:aws-us-gov:sts::{ACCOUNT}:assumed-role/r/Bob@x.org", "redacted-principal-1"),
        ("AWS:AROAEXAMPLE0123456789:bob@example.org did", "redacted-principal-1 did"),
        ("key AKIAIOSFODNN7EXAMPLE", "key redacted-principal-1"),
        ("mail bob.b+c@mail.example.org.", "mail redacted-1@example.com."),
        ("from 10.0.0.1, 10.0.0.2. 10.0.0.1", "from 240.0.0.1, 240.0.0.2. 240.0.0.1"),
        ("_10.0.0.1_", "_240.0.0.1_"),
        ("2001:db8:1::7: from ::ffff:10.0.0.1.", "2001:db8::1: from 2001:db8::2."),
        ("2001:db8:2::", "2001:db8::1"),
        (f"10.0.0.1:443:{ACCOUNT}", "240.0.0.1:443:999900000001"),
        ("at 03:04:05 arn:aws:s3:::b AWS::S3::Bucket", "at 03:04:05 arn:aws:s3:::b AWS::S3::Bucket"),
    ],
)
def test_text_that_is_no_json_is_redacted_too(text: str, redacted: str) -> None:
    """A message of any format, a field of any name."""
    assert redacted == Redaction().redact(text)
    assert {"note": [redacted]} == _redacted(json.dumps({"note": [text]}))


@pytest.mark.parametrize("wrap", [str, an_sns_envelope, lambda body: an_sns_envelope(an_sns_envelope(body))])
@pytest.mark.parametrize("cut", [1, 300, 600])
def test_a_notification_that_was_cut_still_loses_its_principals(wrap: Any, cut: int) -> None:  # noqa: ANN401
    """Its fields are found by their names, whatever quotes there are around them."""
    body = wrap(json.dumps({"userIdentity": {"principalId": 'Bo"b\\', "pad": "x" * 700}}))[:-cut]

    redacted = Redaction().redact(body)

    assert "Bo" not in redacted
    assert "redacted-principal-1" in redacted


def test_a_field_that_was_cut_in_its_value_goes_to_the_end() -> None:
    """No quote ends it."""
    assert '{"principalId": "redacted-principal-1' == Redaction().redact('{"principalId": "AWS:Bo')


def test_one_account_has_one_stand_in_in_all_messages_and_two_have_two() -> None:
    """A policy by account can still be tested."""
    redaction = Redaction()

    assert '{"a":"999900000001"}' == redaction.redact(json.dumps({"a": ACCOUNT}))
    assert '["999900000002","999900000001"]' == redaction.redact(json.dumps(["210987654321", ACCOUNT]))


def test_a_number_with_twelve_digits_stays_a_number() -> None:
    """Whoever reads it as one can go on."""
    assert {"account": 999900000001, "n": -1.5, "f": 999900000001.5, "none": None, "yes": True, "e": ""} == _redacted(
        json.dumps({"account": int(ACCOUNT), "n": -1.5, "f": int(ACCOUNT) + 0.5, "none": None, "yes": True, "e": ""})
    )


def test_whatever_is_in_a_field_that_goes_goes() -> None:
    """Empty values say nothing, and stay."""
    value = {"requestId": ["a", {"b": 5, "c": None, "d": ""}], "source_ip_address": "AWS Internal"}

    assert {
        "requestId": ["redacted-request-1", {"b": "redacted-request-2", "c": None, "d": ""}],
        "source_ip_address": "240.0.0.1",
    } == _redacted(json.dumps(value))


def test_names_of_members_are_redacted_too() -> None:
    """Somebody counts by account."""
    assert {"999900000001": 3} == _redacted(json.dumps({ACCOUNT: 3}))


def test_bucket_names_and_keys_stay_and_are_counted_where_they_tell() -> None:
    """The processing function may go by them."""
    body = a_notification(f"AWSLogs/{ACCOUNT}/a.gz", KEY, bucket=BUCKET)
    redaction = Redaction()
    stored = [record["s3"]["object"]["key"] for record in json.loads(redaction.redact(body))["Records"]]

    assert [f"AWSLogs/{ACCOUNT}/a.gz", KEY] == stored
    assert 1 == redaction.names_kept


def test_bucket_names_and_keys_go_if_that_is_wanted() -> None:
    """Load balancers write account and address into keys."""
    redaction = Redaction(names=True)
    body = a_notification(f"AWSLogs/{ACCOUNT}/app_10.0.0.1_x.log.gz", bucket=f"logs-{ACCOUNT}")
    s3 = json.loads(redaction.redact(body))["Records"][0]["s3"]

    assert ("AWSLogs/999900000001/app_240.0.0.1_x.log.gz", "logs-999900000001", "arn:aws:s3:::logs-999900000001") == (
        s3["object"]["key"],
        s3["bucket"]["name"],
        s3["bucket"]["arn"],
    )
    assert 0 == redaction.names_kept


def test_a_name_or_an_etag_that_is_no_text_is_redacted_as_anything_else() -> None:
    """Nobody sends that, but a message can hold it."""
    value = {"object": {"key": {"principalId": "Bob"}, "eTag": [ACCOUNT]}, "bucket": {"name": [ACCOUNT]}}

    assert {
        "object": {"key": {"principalId": "redacted-principal-1"}, "eTag": ["999900000001"]},
        "bucket": {"name": ["999900000001"]},
    } == _redacted(json.dumps(value))


def test_what_is_nested_too_deeply_for_json_is_redacted_as_text() -> None:
    """Nothing is raised."""
    deep = "[" * 200_000

    assert f"{deep}999900000001" == Redaction().redact(f"{deep}{ACCOUNT}")
    assert "999900000001" in Redaction().redact("[" * 5000 + f'"{ACCOUNT}"' + "]" * 5000)


def test_addresses_beyond_the_first_256_are_addresses_too() -> None:
    """No number of an address is over 255."""
    redaction = Redaction()
    stand_ins = [redaction.redact(f"10.{high}.{low}.1") for high in range(2) for low in range(256)]

    assert 512 == len(set(stand_ins))
    assert ("240.0.0.1", "240.0.0.255", "240.0.1.0", "240.0.2.0") == tuple(stand_ins[n] for n in (0, 254, 255, 511))


def test_an_event_under_a_name_of_its_own_is_redacted() -> None:
    """A team forwards its own envelope."""
    event = an_eventbridge_envelope({"who": f"arn:aws:iam::{ACCOUNT}:role/x", "where": "10.0.0.1"})
    redacted = _redacted(event)

    assert ("999900000001", {"who": "redacted-principal-1", "where": "240.0.0.1"}) == (
        redacted["account"],
        redacted["detail"],
    )
