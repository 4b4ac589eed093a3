"""From a dead letter to a result, with the commands as they are typed, against a moto server."""

from __future__ import annotations

import gzip
import json
import uuid
from typing import TYPE_CHECKING

from tests.builders import a_notification
from tests.command import finished
from transforms import aws as transforms_aws

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

REGION = "us-east-1"


def _run(*arguments: str, directory: Path, queue_url: str) -> subprocess.CompletedProcess[str]:
    done = finished(*arguments, cwd=directory, environment={"SQS_QUEUE_URL": queue_url})
    assert 0 == done.returncode, done.stderr
    return done


def test_a_mended_object_goes_from_the_dead_letters_to_the_results(bucket: str, tmp_path: Path) -> None:
    """Only the one record that failed is done again."""
    s3, sqs = (transforms_aws.client(service, REGION) for service in ("s3", "sqs"))
    queue_url = sqs.create_queue(QueueName=f"queue-{uuid.uuid4()}")["QueueUrl"]
    whole = gzip.compress(b"one\ntwo\n")
    s3.put_object(Bucket=bucket, Key="a +ü.gz", Body=whole[:-4])
    s3.put_object(Bucket=bucket, Key="good.gz", Body=whole)
    body = a_notification("good.gz", "a +ü.gz", bucket=bucket, etag=None, size=None)
    sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    drain = ("--drain", "--idle_s=1", "--output=out")

    _run(*drain, directory=tmp_path, queue_url=queue_url)
    listed = _run("dead_letters", "--output=out", "--json", directory=tmp_path, queue_url=queue_url)
    (letter,) = (json.loads(line) for line in listed.stdout.splitlines())
    s3.put_object(Bucket=bucket, Key="a +ü.gz", Body=whole)
    dry = _run("redrive", "--output=out", "--dry_run", directory=tmp_path, queue_url=queue_url)
    sent = _run("redrive", "--output=out", "--since=1h", directory=tmp_path, queue_url=queue_url)
    again = _run(*drain, directory=tmp_path, queue_url=queue_url)
    after = _run("dead_letters", "--output=out", directory=tmp_path, queue_url=queue_url)

    assert ("corrupt_gzip", "a +ü.gz", 1) == (letter["kind"], letter["reference"]["key"], letter["index"])
    assert "1 would be sent" in dry.stderr
    assert "1 sent" in sent.stderr
    assert "1 received = 1 stored" in again.stderr
    assert "Nothing is set aside.\n" == after.stdout
    results = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "out" / bucket).glob("*.json")]
    assert [("a +ü.gz", 2), ("good.gz", 2)] == sorted((each["source"]["key"], each["line_count"]) for each in results)
