"""What to send for a dead letter: a message of the failed record alone, which the job reads as it read the first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from transforms.documents import iso
from transforms.envelopes import open_body
from transforms.failures import UnreadableNotificationError
from transforms.notifications import AdmissionRules, parse_message
from transforms.queues import Message
from transforms.records import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transforms.dead_letter_box import DeadLetter


def body_alone(letter: DeadLetter, rules: AdmissionRules) -> str:
    """Answer a body with the failed record and no other; the original one where that is not possible.

    It is not where the message cannot be read, or where the job's `--notification_parser` (in `rules`) would not find
    the same object in our words. Then the message's other records are done again, with the same results.
    """
    original = letter.delivery.body
    if letter.ref is None:
        return original if rules.parser else _record_alone(original, letter.index)
    body = notification(letter.ref)
    return body if rules.parser is None or _finds(letter, body, rules) else original


def notification(ref: ObjectRef) -> str:
    """Write a reference as S3 does: the key form-encoded, what is not known left out."""
    stored = {
        "key": quote_plus(ref.key, safe="/"),
        "size": ref.size,
        "eTag": ref.etag,
        "versionId": ref.version_id,
        "sequencer": ref.sequencer,
    }
    event = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": ref.region,
        "eventTime": iso(ref.event_time) if ref.event_time else None,
        "eventName": ref.event_name,
        "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": ref.bucket}, "object": _known(stored)},
    }
    return json.dumps({"Records": [_known(event)]})


def _known(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}


def _record_alone(body: str, index: int) -> str:
    """Take one record, which cannot be read, out of a message that can."""
    try:
        records = open_body(body).records
    except UnreadableNotificationError:
        return body
    # Only raw notifications hold several.
    return json.dumps({"Records": [records[index]]}) if 0 <= index < len(records) != 1 else body


def _finds(letter: DeadLetter, body: str, rules: AdmissionRules) -> bool:
    """Whether the job, with its parser, would see the same object."""
    ref, delivery = letter.ref, letter.delivery
    message = Message(delivery.message_id, "", body, 1, delivery.sent_at)
    found = parse_message(message, queue_url=delivery.queue_url, received_at=delivery.received_at, rules=rules)
    if ref is None or len(found) != 1 or not isinstance(found[0], ObjectRef):
        return False
    return (found[0].bucket, found[0].key, found[0].version_id) == (ref.bucket, ref.key, ref.version_id)
