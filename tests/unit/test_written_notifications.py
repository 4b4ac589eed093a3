"""What is written is what S3 writes."""

from __future__ import annotations

import json

from tests.builders import BUCKET, EVENT_TIME, KEY, REGION, an_s3_record
from transforms.written_notifications import notification


def test_a_notification_has_the_fields_that_s3_sends() -> None:
    """As far as the job reads them."""
    body = notification(
        bucket=BUCKET,
        key=KEY,
        event_name="ObjectCreated:Put",
        version_id="v",
        etag="e",
        size=1,
        sequencer="0A",
        event_time=EVENT_TIME,
        region=REGION,
    )
    (record,) = json.loads(body)["Records"]
    s3 = an_s3_record(version_id="v", etag="e", size=1, sequencer="0A")

    assert {name: s3[name] for name in record if name != "s3"} == {n: record[n] for n in record if n != "s3"}
    assert (s3["s3"]["object"], BUCKET) == (record["s3"]["object"], record["s3"]["bucket"]["name"])


def test_what_is_not_known_is_left_out() -> None:
    """Null would be a value."""
    (record,) = json.loads(notification(bucket="b", key="a b", event_name="ObjectCreated"))["Records"]

    assert ["eventVersion", "eventSource", "eventName", "s3"] == list(record)
    assert {"key": "a+b"} == record["s3"]["object"]
