"""What tests of the whole job share: a bucket and its queue, the job on them, and what it leaves behind."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.builders import an_s3_record
from tests.command import Command
from tests.ports import a_free_port
from transforms import aws as transforms_aws

if TYPE_CHECKING:
    from pathlib import Path

REGION = "us-east-1"
TEXT = b"one\ntwo\nthree"
COUNTED = {"line_count": 3, "byte_size": len(TEXT)}

BLOCKS = """
import sys

def on_slow(content):
    if content.ref.key.startswith("slow"):
        sys.stderr.write(f"begun {content.ref.key}\\n")  # in one piece: other threads write log lines
        open("fifo").read()
    return {"bytes": len(content.read())}
"""
"""A function that waits for the test where the key says so, before it answers."""


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and a queue of the same name; `url` is the queue's."""

    bucket: str
    url: str

    def put(self, key: str, body: bytes = TEXT) -> str:
        """Store an object, and answer its ETag."""
        return transforms_aws.client("s3", REGION).put_object(Bucket=self.bucket, Key=key, Body=body)["ETag"].strip('"')

    def send(self, body: str) -> str:
        """Send a message, and answer its id."""
        sent = transforms_aws.client("sqs", REGION).send_message(QueueUrl=self.url, MessageBody=body)
        return str(sent["MessageId"])

    def record(self, key: str, body: bytes = TEXT) -> dict[str, Any]:
        """Store an object, and answer S3's record of it."""
        return an_s3_record(key, bucket=self.bucket, etag=self.put(key, body), size=len(body))

    def send_records(self, *records: dict[str, Any]) -> str:
        """Send one message with these records, and answer its id."""
        return self.send(json.dumps({"Records": records}))

    def upload(self, *keys: str) -> None:
        """Store an object for each key, and send a message about each as S3 does."""
        for key in keys:
            self.send_records(self.record(key))

    def let_s3_notify(self) -> None:
        """Have S3 itself tell the queue about every new object; it sends a test event at once."""
        arn = f"arn:aws:sqs:{REGION}:123456789012:{self.bucket}"
        to_queue = {"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}
        transforms_aws.client("s3", REGION).put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": [to_queue]}
        )

    def left(self) -> tuple[int, int]:
        """Count the messages that are visible, and those that someone holds."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        sqs = transforms_aws.client("sqs", REGION)
        attributes = sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(attributes[names[0]]), int(attributes[names[1]])

    def source(self, key: str, body: bytes = TEXT) -> dict[str, str | None]:
        """Answer what a result says about where it comes from, for an object of this content."""
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return {"bucket": self.bucket, "key": key, "version_id": None, "etag": etag}


def a_job(place: Place, tmp_path: Path, *options: str, **environment: str) -> Command:
    """Start the job on a place, with short polls."""
    return Command(f"--queue_url={place.url}", "--wait_time_s=1", *options, cwd=tmp_path, environment=environment)


def a_pool(tmp_path: Path) -> tuple[Command, int]:
    """Start a worker pool, and answer its port, too."""
    port = a_free_port()
    started = Command("worker_pool", f"--port={port}", cwd=tmp_path)
    started.wait_for_line("the worker pool listens at ")
    return started, port


def the_documents(folder: Path) -> dict[str, dict[str, Any]]:
    """Read all results, by key, without `processed_at`."""
    found: dict[str, dict[str, Any]] = {}
    for path in folder.rglob("*.json"):
        document = json.loads(path.read_text())
        assert document["source"]["key"] not in found, f"two results of one object: {path}"
        assert isinstance(document.pop("processed_at"), str)
        found[document["source"]["key"]] = document
    return found


def the_dead_letters(output: Path) -> list[dict[str, Any]]:
    """Read all dead letters."""
    return [json.loads(path.read_text()) for path in (output / "_dead_letters").glob("*.json")]


def the_summary(job: Command) -> str:
    """Answer the balance that the job ends with, its one line about that."""
    (line,) = job.lines_with("stopped: ")
    return line.partition("stopped: ")[2]
