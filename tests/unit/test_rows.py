"""Rows and files that a function returned: what counts as such, what is written, and what is refused."""

from __future__ import annotations

import json
import tracemalloc
from collections import UserDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import BUCKET, ETAG, KEY, an_object_ref
from transforms.failures import BadResultError
from transforms.files import File
from transforms.result_names import result_name
from transforms.rows import draw, spool_for
from transforms.settings import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator


def _drawn(answer: object) -> tuple[dict[str, Any], bytes]:
    """Answer the fields of the document, and the file."""
    spool = spool_for(answer, an_object_ref())
    assert spool is not None
    try:
        fields = draw(answer, spool)
        return fields, spool.rewound().read()
    finally:
        spool.close()


def _refused(answer: object) -> str:
    with pytest.raises(BadResultError) as caught:
        _drawn(answer)
    return caught.value.detail


def _two() -> Iterator[dict[str, int]]:
    yield {"n": 1}
    yield {"n": 2}


class _Cursor:
    """What a database driver hands out: it can be iterated, again and again."""

    def __iter__(self) -> Iterator[dict[str, int]]:
        return _two()


# ── what counts as rows


@pytest.mark.parametrize(
    "answer", [_two(), iter([{"n": 1}, {"n": 2}]), [{"n": 1}, {"n": 2}], ({"n": 1}, {"n": 2}), _Cursor()]
)
def test_any_iterable_of_mappings_is_rows(answer: object) -> None:
    """A generator, an iterator, a list: a line each, in their order."""
    fields, content = _drawn(answer)

    assert b'{"n": 1}\n{"n": 2}\n' == content
    assert {"rows": {"name": result_name(BUCKET, KEY, ETAG, ".jsonl"), "count": 2, "bytes": 18}} == fields


@pytest.mark.parametrize(
    "answer", [{"a": 1}, UserDict(a=1), None, 3, "text", b"bytes", bytearray(b"b"), memoryview(b"m")]
)
def test_a_mapping_is_no_rows_nor_is_text(answer: object) -> None:
    """Though they can be iterated; the document says what is wrong with them."""
    assert spool_for(answer, an_object_ref()) is None


@pytest.mark.parametrize("none", [[], (), iter(()), (row for row in [])])
def test_no_rows_are_an_empty_file(none: object) -> None:
    """An object without anything of interest is done, too."""
    fields, content = _drawn(none)

    assert (0, 0, b"") == (fields["rows"]["count"], fields["rows"]["bytes"], content)


def test_rows_are_encoded_by_the_rules_of_a_document() -> None:
    """UTF-8, times in ISO 8601, and a line is a line whatever the text."""
    when = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

    _, content = _drawn([{"at": when, "who": "grün\n\u2028"}, UserDict(source="a row may name one")])

    assert [
        {"at": "2026-01-02T03:04:05.678Z", "who": "grün\n\u2028"},
        {"source": "a row may name one"},
    ] == [json.loads(line) for line in content.removesuffix(b"\n").split(b"\n")]
    assert "grün".encode() in content


def test_a_generator_may_end_with_fields_for_the_document() -> None:
    """What it counted on the way."""

    def rows() -> Generator[dict[str, int], None, dict[str, int]]:
        yield {"n": 1}
        return {"skipped": 7}

    fields, _ = _drawn(rows())

    assert ["skipped", "rows"] == list(fields)
    assert 7 == fields["skipped"]


def test_many_rows_need_no_memory() -> None:
    """Twenty megabytes of them, of which one is looked at at a time."""
    tracemalloc.start()
    try:
        fields, _ = _counted({"n": number, "text": "x" * 200} for number in range(100_000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (100_000, True) == (fields["rows"]["count"], fields["rows"]["bytes"] > 20 * MIB)
    assert peak < 8 * MIB


def _counted(answer: object) -> tuple[dict[str, Any], int]:
    """As `_drawn`, without the content in memory."""
    spool = spool_for(answer, an_object_ref())
    assert spool is not None
    try:
        return draw(answer, spool), spool.size
    finally:
        spool.close()


# ── what is refused


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("secret", "in row 3, the processor returned str; return a mapping of field to value"),
        ([("secret", 1)], "in row 3, the processor returned list; return a mapping of field to value"),
        ({b"secret": 1}, "in row 3, the processor returned a field whose name is of type bytes"),
        ({"secret": float("nan")}, "in row 3, the processor returned what JSON cannot say: "),
        ({"secret": b"secret"}, "in row 3, the processor returned what JSON cannot say: bytes has no JSON form; "),
    ],
)
def test_a_row_that_cannot_be_stored_is_named_by_its_number_and_not_shown(bad: object, said: str) -> None:
    """It may be a piece of the content."""
    detail = _refused([{"n": 1}, {"n": 2}, bad, {"n": 4}])

    assert detail.startswith(said)
    assert "secret" not in detail


def test_a_mapping_of_mappings_is_one_document() -> None:
    """Its values are not its rows."""
    assert spool_for({"a": {"n": 1}}, an_object_ref()) is None


@pytest.mark.parametrize("ended_with", [3, ["a"], "text"])
def test_a_generator_that_ends_with_no_mapping_is_refused(ended_with: object) -> None:
    """Rather than forget what it says."""

    def rows() -> Generator[dict[str, int], None, object]:
        yield {"n": 1}
        return ended_with

    assert f"the processor returned {type(ended_with).__name__} beside its rows; make it a mapping" in _refused(rows())


def test_a_field_named_rows_is_refused_where_there_are_rows() -> None:
    """The document has one of its own then."""
    assert "a field named 'rows'" in _refused(File(".bin", b"", fields={"rows": 3}))


def _left_open(did: list[str]) -> Iterator[Any]:
    try:
        yield "neither mapping nor bytes"
    finally:
        did.append("closed")


@pytest.mark.parametrize("make", [_left_open, lambda did: File(".bin", _left_open(did))])
def test_a_generator_that_is_left_has_cleaned_up(make: Callable[[list[str]], object]) -> None:
    """Before its object's fate is known: its connection is closed by then."""
    did: list[str] = []
    answer = make(did)

    _refused(answer)

    assert ["closed"] == did


# ── files


def test_a_file_is_stored_as_it_comes_under_its_own_suffix() -> None:
    """Bytes of any kind, in pieces of any size."""
    chunks = iter([b"PAR1", b"", bytearray(b"rows"), memoryview(b"PAR1")])

    fields, content = _drawn(File(".parquet", chunks))

    assert b"PAR1rowsPAR1" == content
    assert {"rows": {"name": result_name(BUCKET, KEY, ETAG, ".parquet"), "bytes": 12}} == fields


@pytest.mark.parametrize("content", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_a_file_may_come_in_one_piece(content: bytes) -> None:
    """Iterating over it would give numbers."""
    assert b"abc" == _drawn(File(".bin", content))[1]


def test_the_fields_of_a_file_are_looked_at_after_its_last_chunk() -> None:
    """So what is counted on the way can be among them."""
    fields: dict[str, int] = {}

    def chunks() -> Iterator[bytes]:
        yield b"abc"
        fields["lines"] = 1

    document, _ = _drawn(File(".bin", chunks(), fields))

    assert 1 == document["lines"]


@pytest.mark.parametrize("bad", ["secret", 3, None, {"secret": 1}])
def test_a_chunk_that_is_no_bytes_is_named_by_its_number(bad: Any) -> None:  # noqa: ANN401 - what users yield
    """And not shown."""
    detail = _refused(File(".bin", [b"a", bad]))

    assert f"the processor returned a File whose chunk 2 is {type(bad).__name__}; make it bytes" == detail
