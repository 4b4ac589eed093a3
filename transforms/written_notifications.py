"""A notification as S3 writes it, for what S3 did not notify, or not in this way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from transforms.documents import iso

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


def notification(
    *,
    bucket: str,
    key: str,
    event_name: str,
    version_id: str | None = None,
    etag: str | None = None,
    size: int | None = None,
    sequencer: str | None = None,
    event_time: datetime | None = None,
    region: str | None = None,
) -> str:
    """Write a message body of one record: the key form-encoded, what is not known left out."""
    stored = {
        "key": quote_plus(key, safe="/"),
        "size": size,
        "eTag": etag,
        "versionId": version_id,
        "sequencer": sequencer,
    }
    event = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": iso(event_time) if event_time else None,
        "eventName": event_name,
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": _known(stored)},
    }
    return json.dumps({"Records": [_known(event)]})


def _known(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
