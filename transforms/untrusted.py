"""From values that anybody may have written to a reference that every later step can rely on.

A record without a usable bucket and key is unreadable; any other value that is not what S3 sends counts as missing,
since the object can be fetched without it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from transforms.failures import UnreadableNotificationError
from transforms.records import Delivery, ObjectRef

S3_MAX_KEY_BYTES = 1024
"""Of the key in UTF-8, AWS's limit; a version id has the same."""
MAX_SIZE = 2**63 - 1
"""Far beyond S3's largest object; a larger number would upset those who count bytes."""

_BUCKET = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,255}")
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_SHOWN_CHARS = 100


def checked_ref(
    delivery: Delivery,
    index: int,
    *,
    bucket: object,
    key: object,
    version_id: object = None,
    etag: object = None,
    size: object = None,
    sequencer: object = None,
    event_name: str = "ObjectCreated",
    event_time: object = None,
    region: object = None,
) -> ObjectRef:
    """Make a reference of unchecked values; `key` is decoded. Raises `UnreadableNotificationError`."""
    return ObjectRef(
        delivery=delivery,
        index=index,
        bucket=_bucket(bucket),
        key=_key(key),
        version_id=_token(version_id),
        etag=_token(etag.strip('"')) if isinstance(etag, str) else None,
        size=size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= MAX_SIZE else None,
        sequencer=_token(sequencer),
        event_name=event_name,
        event_time=_time(event_time),
        # It becomes a part of a host name: credentials must not follow a made-up one.
        region=region if isinstance(region, str) and _REGION.fullmatch(region) else None,
    )


def shown(value: object) -> str:
    """Show a value in a sentence: short, and safe whatever it is (nested too deeply for `repr`, for one)."""
    if isinstance(value, str):
        return repr(value if len(value) <= _SHOWN_CHARS else f"{value[:_SHOWN_CHARS]}…")
    if value is None:
        return "null or missing"
    if isinstance(value, int | float) and abs(value) <= MAX_SIZE:
        return repr(value)
    return f"of type {type(value).__name__}"


def _bucket(value: object) -> str:
    if not isinstance(value, str) or not _BUCKET.fullmatch(value):
        raise UnreadableNotificationError(f"the bucket name is {shown(value)}")
    return value


def _key(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise UnreadableNotificationError(f"the key is {shown(value)}")
    try:
        length = len(value.encode())
    except UnicodeEncodeError as error:
        raise UnreadableNotificationError(f"the key {shown(value)} is not Unicode") from error
    if length > S3_MAX_KEY_BYTES:
        raise UnreadableNotificationError(f"the key has {length} bytes, S3 allows {S3_MAX_KEY_BYTES}: {shown(value)}")
    return value


def _token(value: object) -> str | None:
    """Answer an ETag, version id or sequencer; it may become a header or a part of a URL."""
    if isinstance(value, str) and 0 < len(value) <= S3_MAX_KEY_BYTES and value.isascii() and value.isprintable():
        return value
    return None


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(time, datetime):
            return None
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):  # OverflowError: the first or last day there is, in another time zone
        return None
