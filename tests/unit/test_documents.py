"""What a result document says, and what cannot be one."""

from __future__ import annotations

import json
from collections import UserDict
from datetime import UTC, date, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest

from tests.builders import BUCKET, ETAG, KEY, an_object_ref
from transforms.documents import iso, result_document, row_line
from transforms.failures import BadResultError

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
EAST = timezone(timedelta(hours=2))


def _document(fields: object) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(result_document(fields, an_object_ref(), processed_at=NOW))
    return document


def test_a_document_has_the_fields_the_time_and_the_source() -> None:
    """The source is the object as it was fetched."""
    ref = an_object_ref(key="a b/ü.gz", version_id="v1", etag="e1")

    document = json.loads(result_document({"line_count": 3}, ref, processed_at=NOW))

    source = {"bucket": BUCKET, "key": "a b/ü.gz", "version_id": "v1", "etag": "e1"}
    assert {"processed_at": "2026-01-02T03:04:05.678Z", "line_count": 3, "source": source} == document


def test_a_document_is_one_line_of_utf_8() -> None:
    """It can be read with the eye, and appended to others."""
    document = result_document({"name": "grün\n"}, an_object_ref(), processed_at=NOW)

    assert 1 == document.count(b"\n")
    assert document.endswith(b"}\n")
    assert '"grün\\n"'.encode() in document


def test_the_same_fields_give_the_same_bytes_but_for_the_time() -> None:
    """A repeat overwrites a result with its like."""
    fields = {"b": 1, "a": {"y": 2, "x": 3}}

    assert result_document(fields, an_object_ref(), processed_at=NOW) == result_document(
        dict(fields), an_object_ref(), processed_at=NOW
    )


def test_a_processed_at_of_the_users_own_is_kept() -> None:
    """They may mean another moment."""
    assert "yesterday" == _document({"processed_at": "yesterday"})["processed_at"]


def test_any_mapping_will_do() -> None:
    """It need not be a dict."""
    assert 1 == _document(MappingProxyType({"a": 1}))["a"]


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        (datetime(2026, 1, 2, 5, 4, 5, 678901, tzinfo=EAST), "2026-01-02T03:04:05.678Z"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02T03:04:05.000Z"),  # noqa: DTZ001 - the user's may be naive
        (date(2026, 1, 2), "2026-01-02"),
        ([1, 2.5, None, True, {"deep": "er"}], [1, 2.5, None, True, {"deep": "er"}]),
        (2**70, 2**70),
    ],
)
def test_values_are_json_and_times_are_iso_8601_in_utc(value: object, encoded: object) -> None:
    """Also inside of other values."""
    assert [encoded] == _document({"value": [value]})["value"]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "the processor returned NoneType; return a mapping"),
        ([("a", 1)], "the processor returned list; return a mapping"),
        ("text", "the processor returned str; return a mapping"),
        ({"source": "mine"}, "a field named 'source'"),
        ({1: "a"}, "a field whose name is of type int"),
        ({"a": float("nan")}, "what JSON cannot say"),
        ({"a": [float("inf")]}, "what JSON cannot say"),
        ({"a": b"bytes"}, "bytes has no JSON form; convert it"),
        ({"a": {1, 2}}, "set has no JSON form; convert it"),
        ({"a": {(1, 2): 3}}, "what JSON cannot say"),
        ({"a": "\ud800"}, "what JSON cannot say"),
        ({"\ud800": "a"}, "what JSON cannot say"),
        ({"a": 10**5000}, "what JSON cannot say"),
        ({"a": datetime.min.replace(tzinfo=EAST)}, "what JSON cannot say"),
    ],
)
def test_rubbish_is_a_bad_result_and_the_sentence_says_which(returned: object, said: str) -> None:
    """Nothing else is raised, whatever was returned."""
    with pytest.raises(BadResultError) as raised:
        result_document(returned, an_object_ref(), processed_at=NOW)

    assert said in raised.value.detail


def test_a_value_that_holds_itself_is_a_bad_result() -> None:
    """And so is one that is nested more deeply than JSON goes."""
    circle: dict[str, Any] = {}
    circle["again"] = circle
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    for value in (circle, deep):
        with pytest.raises(BadResultError, match="what JSON cannot say"):
            result_document({"value": value}, an_object_ref(), processed_at=NOW)


def test_a_row_is_a_line_of_its_own_with_nothing_added() -> None:
    """By the rules of a document; it may have any field."""
    row = {"source": "mine", "at": date(2026, 1, 2), "text": "grün\n"}

    assert b'{"source": "mine", "at": "2026-01-02", "text": "gr\xc3\xbcn\\n"}\n' == row_line(row, 1)


def test_a_bad_row_is_told_by_its_number_with_its_cause() -> None:
    """The operator sees what JSON said."""
    with pytest.raises(BadResultError) as caught:
        row_line({"a": {1, 2}}, 1_000_001)

    assert caught.value.detail.startswith("in row 1,000,001, the processor returned what JSON cannot say: set has no")
    assert isinstance(caught.value.__cause__, TypeError)


def test_iso_has_four_digits_of_a_year_and_three_of_a_second() -> None:
    """Whatever the moment; milliseconds are cut, not rounded, or a document would be from the future."""
    assert "0987-01-02T03:04:05.000Z" == iso(datetime(987, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert "2026-12-31T23:59:59.999Z" == iso(datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))


def test_the_source_says_null_where_nothing_is_known() -> None:
    """An unversioned bucket has no version."""
    assert {"bucket": BUCKET, "key": KEY, "version_id": None, "etag": ETAG} == _document({})["source"]


class _Hidden(UserDict[str, object]):
    def __contains__(self, key: object) -> bool:
        return False


class _Other(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


@pytest.mark.parametrize("fields", [_Hidden(source="mine"), {_Other("source"): "mine"}])
def test_a_mapping_that_lies_does_not_say_where_a_result_came_from(fields: object) -> None:
    """The document is made of a copy, with names that are what they look like."""
    with pytest.raises(BadResultError, match="a field named 'source'"):
        _document(fields)


def test_a_field_name_that_may_be_content_is_not_told() -> None:
    """Counting lines as bytes is a mistake that anybody makes."""
    with pytest.raises(BadResultError) as caught:
        _document({b"a secret line": 1})

    assert "secret" not in caught.value.detail
