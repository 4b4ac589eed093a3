"""What to send for a dead letter: a message of the failed record alone, which the job reads as it read the first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from transforms.envelopes import open_body
from transforms.failures import UnreadableNotificationError
from transforms.notifications import AdmissionRules, parse_message
from transforms.queues import Message
from transforms.records import ObjectRef
from transforms.written_notifications import notification

if TYPE_CHECKING:
    from transforms.dead_letter_box import DeadLetter


def body_alone(letter: DeadLetter, rules: AdmissionRules) -> str:
    """Answer a body with the failed record and no other; the original one where that is not possible.

    It is not where the message cannot be read, or where the job's `--notification_parser` (in `rules`) would not find
    the same object in our words. Then the message's other records are done again, with the same results.
    """
    original = letter.delivery.body
    if letter.ref is None:
        return original if rules.parser else _record_alone(original, letter.index)
    body = _notification(letter.ref)
    return body if rules.parser is None or _finds(letter, body, rules) else original


def _notification(ref: ObjectRef) -> str:
    return notification(
        bucket=ref.bucket,
        key=ref.key,
        event_name=ref.event_name,
        version_id=ref.version_id,
        etag=ref.etag,
        size=ref.size,
        sequencer=ref.sequencer,
        event_time=ref.event_time,
        region=ref.region,
    )


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
