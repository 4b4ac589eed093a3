"""Whatever is in a message it is parsed to one outcome for each record, and no legal key is lost on the way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import QUEUE_URL, RECEIVED_AT, a_message, a_notification, an_eventbridge_event, an_sns_envelope
from tests.strategies import buckets, json_values, keys, notifications, notifiers
from transforms.notifications import AdmissionRules, parse_message
from transforms.records import Failure, Finished, ObjectRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import DataObject

RULES = AdmissionRules(
    buckets=frozenset({"source-bucket"}), key_globs=("*a*",), own_prefixes=(("source-bucket", "out/"),)
)


def _outcomes(body: str, rules: AdmissionRules = RULES) -> list[ObjectRef | Finished | Failure]:
    """Parse, and check what every answer must keep."""
    outcomes = parse_message(a_message(body=body), queue_url=QUEUE_URL, received_at=RECEIVED_AT, rules=rules)
    delivery = outcomes[0].delivery
    assert delivery.records == len(outcomes)
    assert list(range(delivery.records)) == [outcome.index for outcome in outcomes]
    assert all(outcome.delivery is delivery for outcome in outcomes)
    return outcomes


@settings(deadline=None)
@given(body=st.binary().map(lambda drawn: drawn.decode("utf-8", "surrogateescape")) | st.text())
def test_arbitrary_bytes_never_raise(body: str) -> None:
    """They are one failure, unless hypothesis invents S3."""
    _outcomes(body)


@settings(deadline=None)
@given(value=json_values())
def test_arbitrary_json_never_raises(value: object) -> None:
    """Raw and as the content of an envelope."""
    _outcomes(json.dumps(value))
    _outcomes(json.dumps({"Records": value}))
    _outcomes(an_sns_envelope(json.dumps(value)))


@settings(deadline=None)
@given(body=notifications(), cut=st.integers(0, 4000))
def test_a_notification_cut_anywhere_never_raises(body: str, cut: int) -> None:
    """Somebody's message was too long for a queue."""
    _outcomes(body[:cut])


@settings(deadline=None, max_examples=300)
@given(
    body=st.sampled_from([a_notification("a", "b"), an_eventbridge_event("a"), an_sns_envelope()]),
    value=json_values(),
    data=st.data(),
)
def test_a_notification_with_any_one_value_replaced_never_raises(body: str, value: object, data: DataObject) -> None:
    """By any other value, at any depth."""
    layer = json.loads(body)
    holder, name = data.draw(st.sampled_from(_places(layer)))
    holder[name] = value

    _outcomes(json.dumps(layer))
    _outcomes(json.dumps(layer), AdmissionRules())


@settings(deadline=None)
@given(answer=json_values() | st.lists(st.dictionaries(st.sampled_from(["bucket", "key", "size"]), json_values())))
def test_whatever_the_users_parser_answers_never_raises(answer: Any) -> None:  # noqa: ANN401
    """Its author has not read our types."""
    _outcomes(a_notification(), AdmissionRules(parser=lambda _: answer))


@settings(deadline=None, max_examples=300)
@given(notify=notifiers(), key=keys(), bucket=buckets())
def test_every_legal_key_comes_out_of_every_envelope_as_it_is_named_in_s3(
    notify: Callable[..., str], key: str, bucket: str
) -> None:
    """Raw and EventBridge, in any number of SNS envelopes."""
    (ref,) = _outcomes(notify(key, bucket=bucket), AdmissionRules())

    assert isinstance(ref, ObjectRef)
    assert (bucket, key) == (ref.bucket, ref.key)


@settings(deadline=None)
@given(drawn=st.lists(keys(), min_size=1, max_size=5))
def test_all_records_come_out_in_their_order(drawn: list[str]) -> None:
    """None is lost, none is doubled."""
    refs = _outcomes(a_notification(*drawn), AdmissionRules())

    assert drawn == [ref.key for ref in refs if isinstance(ref, ObjectRef)]


def _places(value: Any) -> list[tuple[Any, Any]]:  # noqa: ANN401 - JSON
    """Every place in a JSON value that can be given another value."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return []
    return [place for name, each in inner for place in [(value, name), *_places(each)]]
