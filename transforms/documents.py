"""Result documents: the user's mapping, when it was processed, and where it came from, as JSON; and rows, the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from transforms.failures import BadResultError

if TYPE_CHECKING:
    from transforms.records import ObjectRef


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`; a naive datetime is taken as UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def result_document(fields: object, ref: ObjectRef, *, processed_at: datetime) -> bytes:
    """Encode what the user's function returned; a `processed_at` of its own is kept.

    Raises `BadResultError` for what is no mapping, has a field `source`, or is not JSON (NaN included).
    """
    named = _named(fields)
    if "source" in named:
        raise BadResultError("the processor returned a field named 'source', which names the object; rename it")
    return _line({"processed_at": iso(processed_at), **named, "source": _source(ref)})


def row_line(row: object, number: int) -> bytes:
    """Encode the row `number` (from 1) of what the user's function returned as one line, by the rules of a document.

    Raises `BadResultError` for what is no mapping, or not JSON (NaN included); it shows nothing of the row.
    """
    try:
        return _line(_named(row))
    except BadResultError as error:
        raise BadResultError(f"in row {number:,}, {error.detail}") from error.__cause__


def _named(fields: object) -> dict[str, Any]:
    if not isinstance(fields, Mapping):
        raise BadResultError(f"the processor returned {type(fields).__name__}; return a mapping of field to value")
    copied = dict(fields)  # what is checked is what is stored: a mapping of the user's may answer otherwise next time
    bad_names = [name for name in copied if not isinstance(name, str)]
    if bad_names:  # nothing of it is shown: it may be a piece of the content
        raise BadResultError(f"the processor returned a field whose name is of type {type(bad_names[0]).__name__}")
    return {str.__str__(name): value for name, value in copied.items()}


def _line(document: dict[str, Any]) -> bytes:
    try:
        return f"{_ENCODER.encode(document)}\n".encode()
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadResultError(f"the processor returned what JSON cannot say: {error}") from error


def _source(ref: ObjectRef) -> dict[str, str | None]:
    return {"bucket": ref.bucket, "key": ref.key, "version_id": ref.version_id, "etag": ref.etag}


def _encode(value: Any) -> str:  # noqa: ANN401 - json hands over whatever it does not know
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form; convert it")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_encode)
