"""One stand-in for all fault tests; a proxy, a bucket, a queue and an output of its own for each."""

from __future__ import annotations

import gzip
import json
import os
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from tests.command import Command
from tests.faults.proxy import Proxy
from tests.moto_server import MotoServer
from transforms.result_names import result_name
from transforms.stores import PROBE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


ROOT = Path(__file__).parents[2]
REGION = "us-east-1"
FULL = os.environ.get("FAULTS") == "full"
"""The long form, before a release; otherwise the same faults, smaller and shorter."""
only_full = pytest.mark.skipif(not FULL, reason="in the long form: make faults")
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": REGION}


def choose(full: int, short: int) -> int:
    """Answer the size for this form."""
    return full if FULL else short


@dataclass
class World:
    """A bucket that is notified of by hand, its queue, an output bucket, and the proxy between them and the job."""

    server: str
    proxy: Proxy
    directory: Path
    name: str = field(default_factory=lambda: f"w-{uuid.uuid4()}")
    etags: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    """What notifications say; 40 of keys that are not in it."""

    def __post_init__(self) -> None:
        """Make what there is to make."""
        self.sqs.create_queue(QueueName=self.name)
        for bucket in (self.name, self.output):
            self.s3.create_bucket(Bucket=bucket)

    @cached_property
    def s3(self) -> Any:  # noqa: ANN401 - boto3 ships no types
        """The server itself, not through the proxy."""
        return boto3.client("s3", endpoint_url=self.server, config=Config(max_pool_connections=32), **KEYS)

    @cached_property
    def sqs(self) -> Any:  # noqa: ANN401 - as above
        """The server itself, not through the proxy."""
        return boto3.client("sqs", endpoint_url=self.server, config=Config(max_pool_connections=32), **KEYS)

    @property
    def output(self) -> str:
        """The bucket of results."""
        return f"{self.name}-out"

    @cached_property
    def queue_url(self) -> str:
        """The queue, where the server has it."""
        url: str = self.sqs.get_queue_url(QueueName=self.name)["QueueUrl"]
        return url

    def put(self, key: str, body: bytes) -> None:
        """Store an object without a notification."""
        self.etags[key] = self.s3.put_object(Bucket=self.name, Key=key, Body=body)["ETag"].strip('"')

    def put_many(self, keys: Sequence[str]) -> None:
        """Store small gzipped objects, each with its key as one line, and one without end of line."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: self.put(key, gzip.compress(f"{key}\nend".encode(), 1)), keys))

    def notify(self, *messages: Sequence[str]) -> None:
        """Send a message for each list of keys, with a record for each key."""
        entries = [{"Id": str(n), "MessageBody": self._body(keys)} for n, keys in enumerate(messages)]
        for first in range(0, len(entries), 10):
            self.sqs.send_message_batch(QueueUrl=self.queue_url, Entries=entries[first : first + 10])

    def _body(self, keys: Sequence[str]) -> str:
        records = [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventTime": "2026-01-01T00:00:00.000Z",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": self.name},
                    "object": {
                        "key": key,
                        "size": self.sizes.get(key, 40),
                        "eTag": self.etags.get(key, "0" * 32),
                    },
                },
            }
            for key in keys
        ]
        return json.dumps({"Records": records})

    def job(self, *options: str, to: str = "s3", environment: Mapping[str, str] | None = None) -> Command:
        """Start the job on this queue, through the proxy; results go `to` S3, a directory, or the place it names."""
        path = urlsplit(self.queue_url).path
        queue = f"--queue_url={self.proxy.url('sqs')}{path}"
        return self.run(queue, "--wait_time_s=1", *options, to=to, environment=environment)

    def backfill(self, *options: str, to: str = "s3", prefix: str = "") -> Command:
        """Start a backfill of the bucket, through the proxy; results go where those of `job` do."""
        return self.run(f"--backfill=s3://{self.name}/{prefix}", *options, to=to)

    def run(self, *options: str, to: str, environment: Mapping[str, str] | None = None) -> Command:
        """Start the command with an output, through the proxy."""
        output = {"s3": f"s3://{self.output}", "directory": str(self.directory / "output")}.get(to, to)
        return Command(
            "--pipelines=0",  # what is killed and measured is the job itself
            f"--output={output}",
            *options,
            cwd=self.directory,
            environment={
                "AWS_ENDPOINT_URL_S3": self.proxy.url("s3"),
                "AWS_ENDPOINT_URL_SQS": self.proxy.url("sqs"),
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_DEFAULT_REGION": REGION,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "NO_PROXY": "127.0.0.1",
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.directory)]),
                **(environment or {}),
            },
        )

    def left(self) -> tuple[int, int]:
        """Count the messages that wait, and those that somebody holds."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue_url, AttributeNames=names)["Attributes"]
        return int(attributes[names[0]]), int(attributes[names[1]])

    def result_name(self, key: str) -> str:
        """Where the result of `key` belongs."""
        return result_name(self.name, key, self.etags[key])

    def stored(self) -> dict[str, bytes]:
        """Everything in the output bucket, by name."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.output)
        names = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
        with ThreadPoolExecutor(8) as pool:
            bodies = pool.map(lambda name: self.s3.get_object(Bucket=self.output, Key=name)["Body"].read(), names)
            return dict(zip(names, bodies, strict=True))

    def results(self) -> dict[str, dict[str, Any]]:
        """Every result by the key of its source; two for one are an error."""
        documents = [json.loads(b) for n, b in self.stored().items() if not n.startswith("_dead_letters/")]
        results = {document["source"]["key"]: document for document in documents}
        assert len(results) == len(documents), "two results of one object"
        return results

    def puts(self) -> list[str]:
        """Every result and dead letter that was written, again too; not what a start writes to see that it can."""
        puts = [event for event in self.proxy.events if event.operation == "PUT" and event.status == 200]
        return [put.key for put in puts if put.bucket == self.output and not put.key.endswith(PROBE)]

    def dead_letters(self) -> list[dict[str, Any]]:
        """Every dead letter."""
        return [json.loads(body) for name, body in self.stored().items() if name.startswith("_dead_letters/")]

    def assert_right(self, keys: Sequence[str]) -> None:
        """Check that there is exactly one right result for each of `keys`, and no other."""
        results = self.results()
        assert set(results) == set(keys)
        for key, result in results.items():
            assert (result["line_count"], result["byte_size"]) == (2, len(key.encode()) + 4)

    def check_order(self) -> int:
        """Check that each message was deleted only after all its results were stored; answer how many deletes."""
        stored_at: dict[str, float] = {}
        names: dict[str, list[str]] = {}
        ids: dict[str, str] = {}
        deletes = 0
        for event in self.proxy.events:
            if event.operation == "PUT" and event.bucket == self.output and event.status == 200:
                stored_at.setdefault(event.key, event.ended_at)
            for message_id, handle, _, body in event.messages:
                ids[handle] = message_id
                keys = [record["s3"]["object"]["key"] for record in json.loads(body)["Records"]]
                names[message_id] = [self.result_name(key) for key in keys]
            if event.operation == "DeleteMessageBatch":
                for handle in event.handles:
                    deletes += 1
                    for number, name in enumerate(names[ids[handle]]):
                        dead_letter = f"_dead_letters/{ids[handle]}-{number}.json"
                        first = min(stored_at.get(name, 1e18), stored_at.get(dead_letter, 1e18))
                        assert first <= event.begun_at, f"{name} was not stored when its message was deleted"
        return deletes


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Serve S3 and SQS."""
    moto = MotoServer()
    yield moto.url
    moto.stop()


@pytest.fixture
def world(server: str, tmp_path: Path) -> Iterator[World]:
    """Make a world for one test."""
    proxy = Proxy(server)
    yield World(server, proxy, tmp_path)
    proxy.stop()


@pytest.fixture
def figures(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[..., None]:
    """Print a test's figures, whatever pytest captures."""
    started = time.monotonic()

    def say(**values: object) -> None:
        text = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items())
        with capsys.disabled():
            print(f"\n  {request.node.name}: {text}; {time.monotonic() - started:.1f} s")  # noqa: T201 - what it is for

    return say


def histogram(receives: Counter[str]) -> dict[int, int]:
    """Answer how many messages were received once, how many twice, and so on."""
    return dict(sorted(Counter(receives.values()).items()))
