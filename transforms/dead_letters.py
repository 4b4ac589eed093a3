"""Dead letters: one JSON file for each record that was set aside, complete enough to understand and to replay it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from transforms.documents import iso

if TYPE_CHECKING:
    from datetime import datetime

    from transforms.records import Failure, ObjectRef


def dead_letter_document(failure: Failure, *, failed_at: datetime) -> bytes:
    """Encode `failure` with its message's original body."""
    delivery = failure.delivery
    document = {
        "message_id": delivery.message_id,
        "index": failure.index,
        "kind": failure.kind,
        "detail": failure.detail,
        "exception_class": failure.exception_class,
        "traceback": failure.traceback,
        "receive_count": delivery.receive_count,
        "sent_at": iso(delivery.sent_at),
        "received_at": iso(delivery.received_at),
        "failed_at": iso(failed_at),
        "queue_url": delivery.queue_url,
        "reference": _reference(failure.ref) if failure.ref else None,
        "body": delivery.body,
    }
    # ASCII only: a body may hold half a surrogate pair, which no encoding takes.
    return f"{json.dumps(document, indent=2)}\n".encode("ascii")


def _reference(ref: ObjectRef) -> dict[str, Any]:
    return {
        "bucket": ref.bucket,
        "key": ref.key,
        "version_id": ref.version_id,
        "etag": ref.etag,
        "size": ref.size,
        "sequencer": ref.sequencer,
        "event_name": ref.event_name,
        "event_time": iso(ref.event_time) if ref.event_time else None,
        "region": ref.region,
    }
