"""Records, messages and notifications with defaults for everything: a test states only what matters to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

from transforms.queues import Message
from transforms.records import Delivery, ObjectRef

QUEUE_URL = "http://localhost:5000/123456789012/notifications"
BUCKET = "source-bucket"
KEY = "logs/2026/01/02/a.gz"
ETAG = "d41d8cd98f00b204e9800998ecf8427e"
SIZE = 1024
REGION = "eu-west-1"
EVENT_TIME = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
SENT_AT = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
RECEIVED_AT = datetime(2026, 1, 2, 3, 4, 7, tzinfo=UTC)


def a_delivery(
    *,
    message_id: str = "message-1",
    receipt_handle: str | None = "receipt-1",
    receive_count: int = 1,
    records: int = 1,
    body: str = "{}",
    queue_url: str = QUEUE_URL,
    sent_at: datetime = SENT_AT,
    received_at: datetime = RECEIVED_AT,
) -> Delivery:
    """Build a first receipt of a message that holds one record."""
    return Delivery(
        queue_url=queue_url,
        message_id=message_id,
        receipt_handle=receipt_handle,
        receive_count=receive_count,
        sent_at=sent_at,
        received_at=received_at,
        body=body,
        records=records,
    )


def an_object_ref(
    *,
    key: str = KEY,
    bucket: str = BUCKET,
    delivery: Delivery | None = None,
    index: int = 0,
    version_id: str | None = None,
    etag: str | None = ETAG,
    size: int | None = SIZE,
    sequencer: str | None = None,
    event_name: str = "ObjectCreated:Put",
    event_time: datetime | None = EVENT_TIME,
    region: str | None = REGION,
) -> ObjectRef:
    """Build a reference to an object in an unversioned bucket, the first record of its delivery."""
    return ObjectRef(
        delivery=delivery or a_delivery(),
        index=index,
        bucket=bucket,
        key=key,
        version_id=version_id,
        etag=etag,
        size=size,
        sequencer=sequencer,
        event_name=event_name,
        event_time=event_time,
        region=region,
    )


def a_message(
    *,
    body: str | None = None,
    message_id: str = "message-1",
    receipt_handle: str = "receipt-1",
    receive_count: int = 1,
    sent_at: datetime = SENT_AT,
) -> Message:
    """Build a message as received; without a body it is `a_notification()`."""
    return Message(
        message_id=message_id,
        receipt_handle=receipt_handle,
        body=a_notification() if body is None else body,
        receive_count=receive_count,
        sent_at=sent_at,
    )


def form_encoded(key: str) -> str:
    """Encode a key as S3 does in its notifications: `+` for a space, `%XX` for UTF-8 bytes, slashes as they are."""
    return quote_plus(key, safe="/")


def an_s3_record(
    key: str = KEY,
    *,
    bucket: str = BUCKET,
    event_name: str = "ObjectCreated:Put",
    event_version: str = "2.1",
    version_id: str | None = None,
    etag: str | None = ETAG,
    size: int | None = SIZE,
    sequencer: str | None = None,
) -> dict[str, Any]:
    """Build one record of a raw S3 notification, to be changed at will; what is None is left out, as S3 does."""
    stored = {"key": form_encoded(key), "size": size, "eTag": etag, "versionId": version_id, "sequencer": sequencer}
    return {
        "eventVersion": event_version,
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": "2026-01-02T03:04:05.678Z",
        "eventName": event_name,
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "to-the-queue",
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": "A1"}, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {name: value for name, value in stored.items() if value is not None},
        },
    }


def a_notification(
    *keys: str,
    bucket: str = BUCKET,
    event_name: str = "ObjectCreated:Put",
    event_version: str = "2.1",
    version_id: str | None = None,
    etag: str | None = ETAG,
    size: int | None = SIZE,
    sequencer: str | None = None,
) -> str:
    """Build the body of a raw S3 notification with one record for each key (without keys: one record)."""
    records = [
        an_s3_record(
            key,
            bucket=bucket,
            event_name=event_name,
            event_version=event_version,
            version_id=version_id,
            etag=etag,
            size=size,
            sequencer=sequencer,
        )
        for key in keys or (KEY,)
    ]
    return json.dumps({"Records": records})


def a_test_event(*, bucket: str = BUCKET) -> str:
    """Build what S3 sends once when a notification is configured."""
    event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-02T03:04:05.678Z", "Bucket": bucket}
    return json.dumps(event | {"RequestId": "5582815E1AEA5ADF", "HostId": "8cLeGAmw098X5cv4"})


def an_sns_envelope(body: str | None = None) -> str:
    """Wrap a body as an SNS subscription without raw delivery does; without one, `a_notification()`."""
    envelope = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": f"arn:aws:sns:{REGION}:123456789012:uploads",
        "Subject": "Amazon S3 Notification",
        "Message": a_notification() if body is None else body,
        "Timestamp": "2026-01-02T03:04:05.700Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
    }
    return json.dumps(envelope)


def an_eventbridge_event(
    key: str = KEY,
    *,
    bucket: str = BUCKET,
    detail_type: str = "Object Created",
    source: str = "aws.s3",
    reason: str = "PutObject",
    version_id: str | None = None,
    etag: str | None = ETAG,
    size: int | None = SIZE,
    sequencer: str | None = None,
) -> str:
    """Build the body of an S3 event by way of EventBridge, which does not encode the key."""
    stored = {"key": key, "size": size, "etag": etag, "version-id": version_id, "sequencer": sequencer}
    detail = {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {name: value for name, value in stored.items() if value is not None},
        "request-id": "N4N7GDK58NMKJ12R",
        "requester": "123456789012",
        "reason": reason,
    }
    return an_eventbridge_envelope(detail, detail_type=detail_type, source=source)


def an_eventbridge_envelope(detail: object, *, detail_type: str = "Forwarded", source: str = "our.forwarder") -> str:
    """Wrap a detail as EventBridge does; by default as an event that a team forwards under its own name."""
    envelope = {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": source,
        "account": "123456789012",
        "time": "2026-01-02T03:04:05.678Z",
        "region": REGION,
        "resources": [],
        "detail": detail,
    }
    return json.dumps(envelope)
