"""Whatever is around it, no account, principal or address survives redaction, and what a message names does."""

from __future__ import annotations

import json
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import QUEUE_URL, RECEIVED_AT, a_message, an_sns_envelope
from tests.strategies import json_values, notifications
from transforms.notifications import AdmissionRules, parse_message
from transforms.records import ObjectRef
from transforms.redaction import Redaction

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# None of them can be a stand-in, or a part of one.
ACCOUNTS = st.from_regex(r"1[0-9]{11}", fullmatch=True)
ADDRESSES = st.from_regex(r"(10|198)\.[0-9]{1,2}\.1[0-9]{2}\.[0-9]", fullmatch=True)
ADDRESSES6 = st.integers(2**112, 2**113).map(lambda number: str(IPv6Address(number)))
PRINCIPALS = st.from_regex(r"(AWS:)?(AIDA|AROA|ASIA)[A-Z0-9]{16}(:[a-z]{8}@[a-z]{5}\.org)?", fullmatch=True)
ARNS = ACCOUNTS.map(lambda account: f"arn:aws:iam::{account}:role/Operators")
SECRETS = ACCOUNTS | ADDRESSES | ADDRESSES6 | PRINCIPALS | ARNS
AROUND = st.sampled_from(["", " ", "/", '"', "'", " at ", "\n", "日本", "(", ";", "=", "\\ ", '": "', "{", "[", ","])
SECRET_FIELDS = st.sampled_from(["principalId", "sourceIPAddress", "x-amz-id-2", "request-id", "Signature", "Token"])


def _texts(secret: str) -> SearchStrategy[str]:
    return st.builds(lambda before, after: before + secret + after, AROUND, AROUND)


def _holding(secret: str) -> SearchStrategy[Any]:
    """JSON with the secret somewhere: in a text, as a name, in JSON in a string."""
    return st.recursive(
        _texts(secret),
        lambda inner: (
            st.lists(inner, min_size=1, max_size=2)
            | st.dictionaries(st.sampled_from(["a", "Message", "detail", "arn"]) | _texts(secret), inner, min_size=1)
            | st.builds(lambda value, indent: json.dumps(value, indent=indent), inner, st.sampled_from([None, 1]))
        ),
        max_leaves=4,
    )


@settings(deadline=None)
@given(secret=SECRETS, data=st.data())
def test_no_account_principal_or_address_survives(secret: str, data: st.DataObject) -> None:
    """At any depth, in any envelope; and JSON stays JSON of the same shape."""
    value = data.draw(_holding(secret))
    redacted = Redaction().redact(json.dumps(value))

    assert secret not in redacted
    assert secret not in Redaction().redact(an_sns_envelope(json.dumps(value)))
    assert type(value) is type(json.loads(redacted))


@settings(deadline=None)
@given(secret=SECRETS, data=st.data(), cut=st.integers(1, 60))
def test_none_survives_in_what_was_cut(secret: str, data: st.DataObject, cut: int) -> None:
    """A part of it may: it is no account any more."""
    body = json.dumps({"pad": data.draw(_holding(secret)), "end": "x" * 30})

    assert secret not in Redaction().redact(body[:-cut])


@settings(deadline=None)
@given(field=SECRET_FIELDS, secret=st.from_regex(r"[A-Z]{8}", fullmatch=True), depth=st.integers(0, 3))
def test_no_value_of_a_secret_field_survives(field: str, secret: str, depth: int) -> None:
    """Whatever it looks like."""
    body = json.dumps({field: secret, "pad": "x" * 40})
    for _ in range(depth):
        body = json.dumps({"Message": body})

    assert secret not in Redaction().redact(body)
    assert secret not in Redaction().redact(body[:-20])


@settings(deadline=None)
@given(one=ACCOUNTS, another=ACCOUNTS, text=_texts("{}"), other_text=_texts("{}"))
def test_the_same_has_the_same_stand_in_and_another_has_another(
    one: str, another: str, text: str, other_text: str
) -> None:
    """Wherever they are."""
    redaction = Redaction()
    stand_ins = [json.loads(redaction.redact(json.dumps([account])))[0] for account in (one, another)]
    body = json.dumps([text.replace("{}", one), {"a": other_text.replace("{}", another)}])
    expected = body.replace(one, stand_ins[0]) if one == another else None

    assert (one == another) == (stand_ins[0] == stand_ins[1])
    assert all(stand_in in redaction.redact(body) for stand_in in stand_ins)
    assert expected is None or json.loads(expected) == json.loads(redaction.redact(body))


@settings(deadline=None, max_examples=300)
@given(body=notifications())
def test_a_redacted_notification_names_the_same_objects(body: str) -> None:
    """Same bucket, key, version, ETag, size: the same work."""
    redaction = Redaction()

    assert _named(body) == _named(redaction.redact(body))
    assert _named(redaction.redact(body)) == _named(redaction.redact(redaction.redact(body)))


@settings(deadline=None)
@given(body=st.text(st.characters(exclude_categories=[])) | json_values().map(json.dumps))
def test_nothing_that_anybody_sends_makes_it_raise(body: str) -> None:
    """Whatever is in it."""
    Redaction().redact(body)
    Redaction(names=True).redact(an_sns_envelope(body))


def _named(body: str) -> list[Any]:
    message = a_message(body=body)
    outcomes = parse_message(message, queue_url=QUEUE_URL, received_at=RECEIVED_AT, rules=AdmissionRules())
    return [
        (each.bucket, each.key, each.version_id, each.etag, each.size, each.sequencer, each.event_time, each.region)
        if isinstance(each, ObjectRef)
        else each.kind
        for each in outcomes
    ]
