"""Rows, or a file, that the user's function returned: drawn to the end, to be stored whole or not at all."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from transforms.documents import row_line
from transforms.failures import BadResultError
from transforms.files import File
from transforms.result_names import result_name
from transforms.spools import Spool

if TYPE_CHECKING:
    from transforms.records import ObjectRef

FIELD = "rows"
"""The field of the document that says where they are."""
SUFFIX = ".jsonl"

_NO_ROWS = (Mapping, str, bytes, bytearray, memoryview)
"""What can be iterated and is not meant to be."""


def spool_for(answer: object, ref: ObjectRef) -> Spool | None:
    """Open a spool, if `answer` is a `File` or an iterable of rows: an iterator, a generator, a list. Close it."""
    if isinstance(answer, _NO_ROWS):
        return None
    if isinstance(answer, File):
        return Spool(result_name(ref.bucket, ref.key, ref.etag, answer.suffix))
    return Spool(result_name(ref.bucket, ref.key, ref.etag, SUFFIX)) if isinstance(answer, Iterable) else None


def draw(answer: Any, spool: Spool) -> dict[str, Any]:  # noqa: ANN401 - what `spool_for` took for rows
    """Write all that there is in `answer` to `spool`, and answer the fields of the document.

    Raises `BadResultError`: a row is no mapping or not JSON, a chunk no bytes, a field is named `rows`;
    `WriteFailedError`: no room; and whatever the user's code raises.
    """
    place: dict[str, Any] = {"name": spool.name}
    if isinstance(answer, File):
        _write_chunks(answer.chunks, spool)
        fields: object = answer.fields
    else:
        place["count"], fields = _write_rows(answer, spool)
    spool.flush()
    return {**_fields(fields), FIELD: {**place, "bytes": spool.size}}


def _write_rows(rows: Iterable[object], spool: Spool) -> tuple[int, object]:
    """Write a line for each row; answer how many there are, and what a generator returned at its end."""
    drawn, count = iter(rows), 0
    try:
        while True:
            try:
                row = next(drawn)
            except StopIteration as end:
                return count, end.value
            count += 1
            spool.write(row_line(row, count))
    finally:
        _close(drawn)


def _write_chunks(chunks: bytes | Iterable[bytes], spool: Spool) -> None:
    drawn = iter((chunks,) if isinstance(chunks, bytes | bytearray | memoryview) else chunks)
    try:
        for number, chunk in enumerate(drawn, 1):
            if not isinstance(chunk, bytes | bytearray | memoryview):
                kind = type(chunk).__name__
                raise BadResultError(f"the processor returned a File whose chunk {number:,} is {kind}; make it bytes")
            spool.write(chunk)
    finally:
        _close(drawn)


def _close(drawn: object) -> None:
    """Let a generator that was left clean up now, while its time is watched and its errors have a fate."""
    if isinstance(drawn, Generator):
        drawn.close()


def _fields(returned: object) -> dict[str, Any]:
    if returned is None:
        return {}
    if not isinstance(returned, Mapping):
        kind = type(returned).__name__
        raise BadResultError(f"the processor returned {kind} beside its rows; make it a mapping of field to value")
    fields = dict(returned)
    if FIELD in fields:
        raise BadResultError(f"the processor returned a field named '{FIELD}', which says where they are; rename it")
    return fields
