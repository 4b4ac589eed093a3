"""The rules: what of a message is let in, what is ignored, what is set aside, and the user's own parser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import (
    EVENT_TIME,
    QUEUE_URL,
    RECEIVED_AT,
    a_delivery,
    a_message,
    a_notification,
    a_test_event,
    an_object_ref,
    an_s3_record,
    an_sns_envelope,
)
from transforms.failures import FailureKind, FinishedKind, UserError
from transforms.notifications import AdmissionRules, load_parser, parse_message
from transforms.records import Delivery, Failure, Finished, ObjectRef
from transforms.settings import ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


def _parsed(body: str, rules: AdmissionRules | None = None) -> list[ObjectRef | Finished | Failure]:
    return parse_message(
        a_message(body=body), queue_url=QUEUE_URL, received_at=RECEIVED_AT, rules=rules or AdmissionRules()
    )


def _delivery_of(body: str, *, records: int = 1) -> Delivery:
    return a_delivery(body=body, records=records)


def _failure_of(body: str, rules: AdmissionRules | None = None) -> Failure:
    (failure,) = _parsed(body, rules)
    assert isinstance(failure, Failure)
    return failure


def test_a_message_becomes_references_that_share_one_delivery() -> None:
    """It is acknowledged once, when all of them have left."""
    body = a_notification("a", "b")
    delivery = _delivery_of(body, records=2)

    first, second = _parsed(body)

    assert an_object_ref(key="a", delivery=delivery, index=0) == first
    assert an_object_ref(key="b", delivery=delivery, index=1) == second
    assert first.delivery is second.delivery


def test_an_unreadable_record_does_not_spoil_its_neighbours() -> None:
    """It fails alone, under its own index."""
    broken = an_s3_record()
    del broken["s3"]["object"]["key"]
    body = json.dumps({"Records": [an_s3_record("a"), broken, an_s3_record("b")]})
    delivery = _delivery_of(body, records=3)

    first, second, third = _parsed(body)

    assert an_object_ref(key="a", delivery=delivery, index=0) == first
    assert an_object_ref(key="b", delivery=delivery, index=2) == third
    expected = Failure(
        delivery=delivery,
        index=1,
        ref=None,
        kind=FailureKind.UNREADABLE_NOTIFICATION,
        detail="the key is null or missing",
        exception_class="transforms.failures.UnreadableNotificationError",
    )
    assert expected == second


def test_an_unreadable_message_is_one_failure_that_names_the_cause() -> None:
    """The delivery keeps the body, so it can be replayed."""
    expected = Failure(
        delivery=_delivery_of("hello"),
        index=0,
        ref=None,
        kind=FailureKind.UNREADABLE_NOTIFICATION,
        detail="the message is not JSON: Expecting value: line 1 column 1 (char 0)",
        exception_class="json.decoder.JSONDecodeError",
    )

    assert [expected] == _parsed("hello")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (a_test_event(), FinishedKind.TEST_EVENT),
        (an_sns_envelope(a_test_event()), FinishedKind.TEST_EVENT),
        (a_notification(event_name="ObjectRemoved:Delete"), FinishedKind.NOT_CREATED),
        ('{"Records": []}', FinishedKind.NOT_CREATED),
    ],
)
def test_what_has_nothing_to_do_is_finished(body: str, kind: FinishedKind) -> None:
    """One record, so that the message is acknowledged."""
    assert [Finished(_delivery_of(body), 0, kind)] == _parsed(body)


def test_a_bucket_that_is_not_allowed_is_set_aside_with_its_reference() -> None:
    """Others can write to the queue."""
    failure = _failure_of(a_notification(bucket="theirs"), AdmissionRules(buckets=frozenset({"ours"})))

    assert FailureKind.BUCKET_NOT_ALLOWED == failure.kind
    assert "bucket theirs is not among --buckets" == failure.detail
    assert an_object_ref(bucket="theirs", delivery=failure.delivery) == failure.ref


@pytest.mark.parametrize("buckets", [frozenset(), frozenset({"ours"}), frozenset({"theirs", "ours"})])
def test_a_bucket_that_is_allowed_is_let_in(buckets: frozenset[str]) -> None:
    """No list allows all."""
    body = a_notification(bucket="ours")
    rules = AdmissionRules(buckets=buckets)

    assert [an_object_ref(bucket="ours", delivery=_delivery_of(body))] == _parsed(body, rules)


@pytest.mark.parametrize(
    ("key", "let_in"),
    [
        ("logs/a.gz", True),
        ("logs/2026/a b.gz", True),
        ("logs/a.GZ", False),
        ("x/logs/a.gz", False),
        ("other.csv", True),
    ],
)
def test_keys_that_match_no_glob_are_filtered(key: str, let_in: bool) -> None:  # noqa: FBT001
    """On the decoded key, case counts, and `*` matches `/`."""
    body = a_notification(key)
    ref = an_object_ref(key=key, delivery=_delivery_of(body))
    filtered = Finished(ref.delivery, 0, FinishedKind.FILTERED, ref)

    assert [ref if let_in else filtered] == _parsed(body, AdmissionRules(key_globs=("logs/*.gz", "*.csv")))


@pytest.mark.parametrize("buckets", [frozenset(), frozenset({"source-bucket"})])
def test_our_own_outputs_are_filtered_whatever_the_allow_list_says(buckets: frozenset[str]) -> None:
    """A dead letter for each output would be an output again."""
    body = a_notification("out/a.json", bucket="results")
    ref = an_object_ref(key="out/a.json", bucket="results", delivery=_delivery_of(body))
    rules = AdmissionRules(buckets=buckets, own_prefixes=(("results", "out/"),))

    assert [Finished(ref.delivery, 0, FinishedKind.FILTERED, ref)] == _parsed(body, rules)


@pytest.mark.parametrize(("bucket", "key"), [("results", "in/a.gz"), ("source-bucket", "out/a.gz")])
def test_an_own_prefix_is_a_prefix_in_its_bucket_only(bucket: str, key: str) -> None:
    """Input and output may share a bucket, or have like keys."""
    body = a_notification(key, bucket=bucket)
    rules = AdmissionRules(own_prefixes=(("results", "out/"),))

    assert [an_object_ref(key=key, bucket=bucket, delivery=_delivery_of(body))] == _parsed(body, rules)


def _rules_with(answer: Any) -> AdmissionRules:  # noqa: ANN401 - a user's function may answer anything
    return AdmissionRules(parser=lambda _: answer, parser_name="mine:parse")


def test_the_users_parser_names_objects_in_a_format_of_its_own() -> None:
    """The key as it is, not encoded."""

    def parse(body: str) -> Iterator[dict[str, Any]]:
        for line in body.split():
            yield {
                "bucket": "source-bucket",
                "key": line,
                "version_id": "v1",
                "etag": '"e1"',
                "size": 7,
                "region": "eu-west-1",
                "event_time": EVENT_TIME.isoformat(),
            }

    delivery = _delivery_of("a+b c%20d", records=2)
    refs = [
        an_object_ref(
            key=key, index=index, delivery=delivery, version_id="v1", etag="e1", size=7, event_name="ObjectCreated"
        )
        for index, key in enumerate(["a+b", "c%20d"])
    ]

    assert refs == _parsed(delivery.body, AdmissionRules(parser=parse))


def test_a_message_that_the_users_parser_leaves_is_read_by_the_rules() -> None:
    """It answers None: not mine."""
    body = a_notification()

    assert [an_object_ref(delivery=_delivery_of(body))] == _parsed(body, _rules_with(None))


def test_a_message_in_which_the_users_parser_finds_nothing_has_nothing_to_do() -> None:
    """An empty list is an answer."""
    assert [Finished(_delivery_of("x"), 0, FinishedKind.NOT_CREATED)] == _parsed("x", _rules_with([]))


def test_what_the_users_parser_names_is_subject_to_the_rules() -> None:
    """The queue is an input that others can write to."""
    rules = AdmissionRules(buckets=frozenset({"ours"}), parser=lambda _: [{"bucket": "theirs", "key": "a"}])

    assert FailureKind.BUCKET_NOT_ALLOWED == _failure_of("x", rules).kind


class _UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError


def _raise_value_error(_body: str) -> None:
    raise ValueError("no colon")


def _raise_unspeakable(_body: str) -> None:
    raise _UnspeakableError


def _raise_system_exit(_body: str) -> None:
    raise SystemExit(3)


def _raise_later(_body: str) -> Iterator[dict[str, Any]]:
    yield {"bucket": "source-bucket", "key": "a"}
    raise KeyError("colon")


@pytest.mark.parametrize(
    ("parser", "detail", "exception_class"),
    [
        (_raise_value_error, "ValueError: no colon", "ValueError"),
        (_raise_system_exit, "SystemExit: 3", "SystemExit"),
        (_raise_later, "KeyError: 'colon'", "KeyError"),
        (
            _raise_unspeakable,
            "_UnspeakableError: its own __str__ raises",
            "tests.unit.test_notifications._UnspeakableError",
        ),
        (lambda _: 5, "TypeError: 'int' object is not iterable", "TypeError"),
    ],
)
def test_whatever_the_users_parser_raises_is_a_failure_with_its_name_and_traceback(
    parser: Any,  # noqa: ANN401
    detail: str,
    exception_class: str,
) -> None:
    """Also half-way through its answer: half of a message is not acknowledged for the whole."""
    failure = _failure_of("x", AdmissionRules(parser=parser, parser_name="mine:parse"))

    assert FailureKind.UNREADABLE_NOTIFICATION == failure.kind
    assert f"--notification_parser mine:parse raised {detail}" == failure.detail
    assert exception_class == failure.exception_class
    assert failure.traceback is not None
    assert "Traceback" in failure.traceback


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ({"bucket": "b", "key": "k"}, "answered of type dict, not a list of mappings"),
        ("key", "answered 'key', not a list of mappings"),
        ([5], "answered 5 for an object"),
        ([None], "answered null or missing for an object"),
        ([{"bucket": "b"}], "answered an object of which the key is null or missing"),
        ([{"key": "k"}], "answered an object of which the bucket name is null or missing"),
        (
            [{"bucket": "b", "key": "k", "versionId": "v"}],
            "answered a field 'versionId'; known are bucket, key, version_id, etag, size, region, event_time",
        ),
    ],
)
def test_an_answer_that_is_not_as_agreed_is_a_sentence_with_the_parsers_name(answer: object, detail: str) -> None:
    """So that its author finds the mistake in the first dead letter."""
    failure = _failure_of("x", _rules_with(answer))

    assert FailureKind.UNREADABLE_NOTIFICATION == failure.kind
    assert f"--notification_parser mine:parse {detail}" == failure.detail
    assert failure.traceback is None


def test_one_bad_object_of_the_users_parser_does_not_spoil_its_neighbours() -> None:
    """As with the records of S3."""
    first, second = _parsed("x", _rules_with([{}, {"bucket": "source-bucket", "key": "a"}]))

    assert isinstance(first, Failure)
    assert isinstance(second, ObjectRef)


def test_the_rules_are_those_of_the_settings() -> None:
    """The parser is loaded here, once."""
    settings = ReceiveSettings(
        queue_url=QUEUE_URL,
        buckets=("a", "b"),
        key_globs=("*.gz",),
        own_prefixes=(("a", "out/"),),
        notification_parser="json:loads",
    )
    expected = AdmissionRules(
        buckets=frozenset({"a", "b"}),
        key_globs=("*.gz",),
        own_prefixes=(("a", "out/"),),
        parser=json.loads,
        parser_name="json:loads",
    )

    assert expected == AdmissionRules.of(settings)


def test_without_a_parser_in_the_settings_the_rules_have_none() -> None:
    """The usual case."""
    assert AdmissionRules() == AdmissionRules.of(ReceiveSettings(queue_url=QUEUE_URL))


def test_a_parser_that_cannot_be_loaded_is_a_sentence_that_names_the_option() -> None:
    """Before the job starts."""
    with pytest.raises(UserError) as raised:
        load_parser("json:parse")

    assert "--notification_parser is 'json:parse', but module json has no attribute parse" == str(raised.value)
