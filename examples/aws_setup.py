"""What the job needs on AWS: a bucket that notifies a queue, with a dead-letter queue behind it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_aws import REGION

if TYPE_CHECKING:
    from local_aws import LocalAws

ACCOUNT = "123456789012"
"""The account that moto answers for."""
MAX_RECEIVES = 20
"""More than the job's --give_up_after, so that the job gives up first and says why."""


@dataclass(frozen=True, slots=True)
class Queues:
    """The queue that S3 notifies, and where SQS puts what was received too often."""

    url: str
    dead_letter_url: str


def create_bucket_and_queues(aws: LocalAws, bucket: str) -> Queues:
    """Create what the README tells to create on AWS, in the same order, with the same policies."""
    sqs, s3 = aws.client("sqs"), aws.client("s3")
    dead_letter_url = sqs.create_queue(QueueName=f"{bucket}-dead-letters")["QueueUrl"]
    redrive = {"deadLetterTargetArn": _arn(f"{bucket}-dead-letters"), "maxReceiveCount": MAX_RECEIVES}
    attributes = {"RedrivePolicy": json.dumps(redrive), "Policy": json.dumps(_policy(bucket))}
    url = sqs.create_queue(QueueName=bucket, Attributes=attributes)["QueueUrl"]
    s3.create_bucket(Bucket=bucket)
    notification = {"Id": "new-objects", "QueueArn": _arn(bucket), "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [notification]}
    )
    return Queues(url, dead_letter_url)


def messages_left(aws: LocalAws, queue_url: str) -> tuple[int, int]:
    """Count the messages that wait, and those that someone holds."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = aws.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    return int(attributes[names[0]]), int(attributes[names[1]])


def _arn(queue: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"


def _policy(bucket: str) -> dict[str, Any]:
    """Let S3 send to the queue, for this bucket of this account only."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": _arn(bucket),
        "Condition": {
            "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{bucket}"},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
