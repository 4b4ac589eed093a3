"""What a message body holds: S3 records in whatever AWS wrapped around them, in any order.

    raw S3        {"Records": [{"eventVersion": "2.1", ...}]}          keys are form-encoded
    EventBridge   {"detail-type": "Object Created", "detail": {...}}   keys are as they are
    SNS           {"TopicArn": ..., "Message": "<any of these>"}

Anybody who may send to the queue writes the body, so every value is checked before a reference is made of it.
Whatever is in it, `UnreadableNotificationError` is the only error.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from transforms.failures import FinishedKind, UnreadableNotificationError
from transforms.untrusted import checked_ref, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from transforms.records import Delivery, ObjectRef

MAX_ENVELOPES = 8
"""How many envelopes may be around a notification; people have two or three."""
MAX_RECORDS = 1_000
"""How many records a message may have. S3 sends one; each one that is set aside takes a copy of the message along, so a
message of a hundred thousand would fill a disk."""

_EVENT_NAMES = {
    "PutObject": "ObjectCreated:Put",
    "POST Object": "ObjectCreated:Post",
    "CopyObject": "ObjectCreated:Copy",
    "CompleteMultipartUpload": "ObjectCreated:CompleteMultipartUpload",
}
"""EventBridge's reason for an `Object Created`, in the words of a raw notification."""


class Contents(NamedTuple):
    """The records of one body, not read yet, and how to read one of them."""

    records: Sequence[object]
    """At least one."""
    read: Callable[[object, Delivery, int], ObjectRef | FinishedKind]
    """Raises `UnreadableNotificationError`; it concerns that record alone."""


def open_body(body: str) -> Contents:
    """Take every envelope off `body`. Raises `UnreadableNotificationError` if there is no notification inside."""
    layer = _json_object(body, "the message")
    for _ in range(MAX_ENVELOPES + 1):
        contents = _contents(layer)
        if contents is not None:
            return contents
        layer = _inner(layer)
    raise UnreadableNotificationError(f"more than {MAX_ENVELOPES} envelopes inside each other")


def nothing_to_do(_record: object, _delivery: Delivery, _index: int) -> FinishedKind:
    """Read the one record that stands for an empty list of records."""
    return FinishedKind.NOT_CREATED


def _contents(layer: dict[str, Any]) -> Contents | None:
    """Recognise a notification; None where it may be inside. Raises `UnreadableNotificationError`: too many records."""
    records = layer.get("Records")
    if isinstance(records, list):
        if len(records) > MAX_RECORDS:
            raise UnreadableNotificationError(f"the message has {len(records):,} records; {MAX_RECORDS:,} are allowed")
        return Contents(records, _read_s3) if records else Contents([records], nothing_to_do)
    if layer.get("Event") == "s3:TestEvent":
        return Contents([layer], _read_test_event)
    detail_type = layer.get("detail-type")
    if detail_type == "Object Created" or (isinstance(detail_type, str) and layer.get("source") == "aws.s3"):
        return Contents([layer], _read_eventbridge)
    return None


def _inner(layer: dict[str, Any]) -> dict[str, Any]:
    message = layer.get("Message")
    if isinstance(message, str) and ("TopicArn" in layer or layer.get("Type") == "Notification"):
        if layer.get("Type", "Notification") != "Notification":
            raise UnreadableNotificationError(f"SNS {shown(layer['Type'])} of topic {shown(layer.get('TopicArn'))}")
        return _json_object(message, "the SNS Message")
    detail = layer.get("detail")
    if isinstance(detail, dict) and "detail-type" in layer:
        return detail
    names = ", ".join(shown(name) for name in list(layer)[:5])
    raise UnreadableNotificationError(f"no notification that is known here: a JSON object of {names or 'nothing'}")


def _json_object(text: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise UnreadableNotificationError(f"{what} is JSON nested too deeply") from error
    except ValueError as error:  # not JSON, or a number with more digits than Python converts
        raise UnreadableNotificationError(f"{what} is not JSON: {error}") from error
    return _object(value, what)


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableNotificationError(f"{what} is not a JSON object but {shown(value)}")
    return value


def _read_test_event(_record: object, _delivery: Delivery, _index: int) -> FinishedKind:
    return FinishedKind.TEST_EVENT


def _read_s3(record: object, delivery: Delivery, index: int) -> ObjectRef | FinishedKind:
    event = _object(record, "the record")
    s3 = _object(event.get("s3"), "s3")
    # S3 raises the minor version for what it adds; hand-made notifications often leave the version out.
    version = event.get("eventVersion", "2")
    if not isinstance(version, str) or version.partition(".")[0] != "2":
        raise UnreadableNotificationError(f"eventVersion is {shown(version)}; 2.0 and every later 2.x is known here")
    name = event.get("eventName")
    if not isinstance(name, str) or not name:
        raise UnreadableNotificationError(f"eventName is {shown(name)}")
    name = name.removeprefix("s3:")
    if name.partition(":")[0] != "ObjectCreated":
        return FinishedKind.NOT_CREATED
    stored = _object(s3.get("object"), "s3.object")
    return checked_ref(
        delivery,
        index,
        bucket=_object(s3.get("bucket"), "s3.bucket").get("name"),
        key=_form_decoded(stored.get("key")),
        version_id=stored.get("versionId"),
        etag=stored.get("eTag"),
        size=stored.get("size"),
        sequencer=stored.get("sequencer"),
        event_name=name,
        event_time=event.get("eventTime"),
        region=event.get("awsRegion"),
    )


def _read_eventbridge(record: object, delivery: Delivery, index: int) -> ObjectRef | FinishedKind:
    event = _object(record, "the event")
    if event["detail-type"] != "Object Created":
        return FinishedKind.NOT_CREATED
    detail = _object(event.get("detail"), "detail")
    stored = _object(detail.get("object"), "detail.object")
    return checked_ref(
        delivery,
        index,
        bucket=_object(detail.get("bucket"), "detail.bucket").get("name"),
        key=stored.get("key"),
        version_id=stored.get("version-id"),
        etag=stored.get("etag"),
        size=stored.get("size"),
        sequencer=stored.get("sequencer"),
        event_name=_event_name(detail.get("reason")),
        event_time=event.get("time"),
        region=event.get("region"),
    )


def _event_name(reason: object) -> str:
    return _EVENT_NAMES.get(reason, "ObjectCreated") if isinstance(reason, str) else "ObjectCreated"


def _form_decoded(key: object) -> object:
    if not isinstance(key, str):
        return key
    try:
        return unquote_plus(key, errors="strict")
    except UnicodeDecodeError as error:
        raise UnreadableNotificationError(f"the key {shown(key)} is not form-encoded UTF-8") from error
