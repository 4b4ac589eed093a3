"""What a user would write by hand: boto3, threads, gzip. It keeps none of the job's promises but one: delete last.

Four threads receive ten messages each, a pool of 32 fetches and processes their objects, and each ten are deleted
together. No heartbeat, no dead letters, no limit on size, no retry but boto3's own.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import boto3
from botocore.config import Config

RECEIVERS = 4
FETCHERS = 32


class Loop:
    """The loop, until `count` messages are deleted."""

    def __init__(self, queue_url: str, output: Path, count: int) -> None:
        """Make the clients; boto3's may be shared by threads."""
        self._queue_url = queue_url
        self._output = output
        self._left = count
        self._lock = threading.Lock()
        self._sqs = boto3.client("sqs", config=Config(max_pool_connections=RECEIVERS))
        self._s3 = boto3.client("s3", config=Config(max_pool_connections=FETCHERS))
        self._pool = ThreadPoolExecutor(FETCHERS)

    def run(self) -> None:
        """Receive, process, delete."""
        threads = [threading.Thread(target=self._receive) for _ in range(RECEIVERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._pool.shutdown()

    def _receive(self) -> None:
        while self._left > 0:
            answer = self._sqs.receive_message(QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            messages = answer.get("Messages", [])
            if not messages:
                continue
            list(self._pool.map(self._process, messages))
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in enumerate(messages)
            ]
            self._sqs.delete_message_batch(QueueUrl=self._queue_url, Entries=entries)
            with self._lock:
                self._left -= len(messages)

    def _process(self, message: dict[str, Any]) -> None:
        for record in json.loads(message["Body"])["Records"]:
            bucket, key = record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"])
            content = gzip.decompress(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            result = {"line_count": content.count(b"\n"), "byte_size": len(content), "bucket": bucket, "key": key}
            path = self._output / f"{key.replace('/', '_')}.json"
            path.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    directory = Path(sys.argv[2])
    directory.mkdir(parents=True, exist_ok=True)
    Loop(os.environ["SQS_QUEUE_URL"], directory, int(sys.argv[1])).run()
