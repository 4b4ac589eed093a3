"""A job whose surroundings are as they should be; a test of `check` states what is not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.check.account import RefusedError, Stored
from pipeline.check.subject import Subject
from pipeline.options import Settings
from pipeline.outside import Outside
from tests.fake_objects import FakeObjects
from tests.fakes import FakeStore
from transforms.process_wide import ProcessWide
from transforms.settings import ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transforms.queues import Receipt, Refusal
    from transforms.stores import Store

ACCOUNT_ID = "123456789012"
REGION = "eu-central-1"
URL = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT_ID}/new-objects"
ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT_ID}:new-objects"
BUCKET = "acme-logs"
CALLER = f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/job/i-0abc"
NOW = datetime(2026, 1, 15, 9, 10, tzinfo=UTC)
SETTINGS = Settings(ReceiveSettings(URL, region=REGION))

STATEMENT: Mapping[str, Any] = {
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": ARN,
    "Condition": {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT_ID},
    },
}
TOLD: Mapping[str, Any] = {"QueueConfigurations": [{"Id": "1", "QueueArn": ARN, "Events": ["s3:ObjectCreated:*"]}]}
TOPIC = f"arn:aws:sns:{REGION}:999999999999:uploads"
BY_TOPIC: Mapping[str, Any] = {"TopicConfigurations": [{"TopicArn": TOPIC, "Events": ["s3:ObjectCreated:*"]}]}
BY_EVENTS: Mapping[str, Any] = {"EventBridgeConfiguration": {}}
"""What the bucket may tell instead of the queue."""
SHOW_POLICY = f"aws sqs get-queue-attributes --queue-url {URL} --region {REGION} --attribute-names Policy"
ATTRIBUTES: Mapping[str, str] = {
    "QueueArn": ARN,
    "ApproximateNumberOfMessages": "1234",
    "ApproximateNumberOfMessagesNotVisible": "5",
    "MessageRetentionPeriod": "604800",
    "VisibilityTimeout": "30",
    "DelaySeconds": "0",
    "RedrivePolicy": json.dumps({"deadLetterTargetArn": f"{ARN}-dead-letters", "maxReceiveCount": 20}),
    "Policy": json.dumps({"Version": "2012-10-17", "Statement": [STATEMENT]}),
}


@dataclass
class FakeAccount:
    """Implements `pipeline.check.account.Account`; an error in the place of an answer is raised."""

    arn: str | Exception = CALLER
    roles: dict[str, str | Exception] = field(default_factory=dict)
    clock: float | Exception = 0.4
    region: str = REGION
    told: Mapping[str, Any] | Exception = field(default_factory=lambda: TOLD)
    listed: list[Stored] | Exception = field(default_factory=lambda: [Stored("a.log", 8, NOW)])
    asked: int = 0

    def caller(self, role_arn: str | None = None) -> str:
        self.asked += 1
        return _answered(self.arn if role_arn is None else self.roles[role_arn])

    def clock_error_s(self) -> float:
        return _answered(self.clock)

    def region_of(self, bucket: str) -> str:
        return self.region

    def notifications(self, bucket: str) -> dict[str, Any]:
        return dict(_answered(self.told))

    def objects(self, bucket: str) -> list[Stored]:
        return _answered(self.listed)


@dataclass
class ToldQueue:
    """A queue of which only the attributes and the rights matter."""

    answer: Mapping[str, str] | Exception
    rights: Exception | None = None

    def attributes(self) -> Mapping[str, str]:
        return _answered(self.answer)

    def delete(self, receipts: list[Receipt]) -> list[Refusal]:
        if self.rights:
            raise self.rights
        return []

    def change_visibility(self, receipts: list[Receipt], timeouts_s: list[int]) -> list[Refusal]:
        return self.delete(receipts)


def a_subject(
    *,
    settings: Settings = SETTINGS,
    account: FakeAccount | None = None,
    attributes: Mapping[str, str] | Exception = ATTRIBUTES,
    rights: Exception | None = None,
    objects: FakeObjects | None = None,
    results: Store | None = None,
    dead_letters: Store | None = None,
    bucket: str | None = BUCKET,
    sample: tuple[str, str] | None = None,
) -> Subject:
    """Build one of which every check says ok."""
    held = objects or FakeObjects()
    if objects is None:
        held.put(BUCKET, "a.log", b"one\ntwo\n")
    outside = Outside(
        queue=ProcessWide(ToldQueue, attributes, rights),
        objects=ProcessWide(lambda: held),
        results=ProcessWide(lambda: results or FakeStore()),
        dead_letters=ProcessWide(lambda: dead_letters or FakeStore()),
    )
    return Subject(settings, outside, account or FakeAccount(), bucket=bucket, sample=sample)


def told_otherwise(told: Mapping[str, Any], **more: Any) -> Subject:  # noqa: ANN401 - of many kinds
    """Build one whose bucket tells this, in the place of the queue."""
    return a_subject(account=FakeAccount(told=told), **more)


def with_receive(**changes: Any) -> Settings:  # noqa: ANN401 - of many kinds
    """Answer settings whose first step is told otherwise."""
    return replace(SETTINGS, receive=replace(SETTINGS.receive, **changes))


def denied(action: str = "GetBucketNotification") -> RefusedError:
    """Refuse as AWS does."""
    return RefusedError(f"AccessDenied from {action}: no", "AccessDenied")


def long_ago(days: int) -> datetime:
    """Answer a time before `NOW`."""
    return NOW - timedelta(days=days)


def _answered(answer: Any) -> Any:  # noqa: ANN401 - of many kinds
    if isinstance(answer, Exception):
        raise answer
    return answer
