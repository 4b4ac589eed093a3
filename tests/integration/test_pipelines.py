"""Two supervised pipelines on one queue: nothing is lost when one of them, or their supervisor, is killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.command import Command, until
from transforms import aws as transforms_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_sqs import SQSClient

REGION = "us-east-1"
OBJECTS = 20
TELLS = """
import os, time
from pathlib import Path

def tells(content):
    Path(f"pid-{os.getpid()}").touch()
    return {"pid": os.getpid()}

def holds(content):  # until the test says so
    tells(content)
    while not Path("go").exists():
        time.sleep(0.02)
    return {"pid": os.getpid()}
"""


@pytest.fixture
def sqs(aws: str) -> SQSClient:
    """Speak with the server's SQS."""
    return transforms_aws.client("sqs", REGION)


@pytest.fixture
def queue(sqs: SQSClient) -> str:
    """Make a queue of this test's own."""
    return sqs.create_queue(QueueName=f"queue-{uuid.uuid4()}")["QueueUrl"]


def _fill(sqs: SQSClient, queue: str, bucket: str) -> None:
    s3 = transforms_aws.client("s3", REGION)
    for number in range(OBJECTS):
        key, body = f"{number}.txt", f"{number}\n".encode()
        etag = s3.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')
        of_s3 = {"bucket": {"name": bucket}, "object": {"key": key, "size": len(body), "eTag": etag}}
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": of_s3}
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"Records": [record]}))


@contextlib.contextmanager
def _job(directory: Path, queue: str, *options: str) -> Iterator[Command]:
    (directory / "tells.py").write_text(TELLS)
    root = str(Path(__file__).parents[2])
    arguments = (f"--queue_url={queue}", "--runner=DirectRunner", "--pipelines=2", "--wait_time_s=1", *options)
    with Command(*arguments, cwd=directory, environment={"PYTHONPATH": root}) as job:
        try:
            yield job
        finally:
            for pid in _pids(directory):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def _pids(directory: Path) -> list[int]:
    return [int(path.name.partition("-")[2]) for path in directory.glob("pid-*")]


def _results(directory: Path, bucket: str) -> int:
    return len(list((directory / "output" / bucket).glob("*.json")))


def _waiting_and_held(sqs: SQSClient, queue: str) -> tuple[str, str]:
    waiting, held = "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[waiting, held])["Attributes"]
    return found[waiting], found[held]


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_two_pipelines_drain_a_queue_and_one_line_accounts_for_it(
    tmp_path: Path, sqs: SQSClient, queue: str, bucket: str
) -> None:
    """Every line says whose it is."""
    _fill(sqs, queue, bucket)

    with _job(tmp_path, queue, "--drain", "--idle_s=3") as job:
        assert 0 == job.wait(), str(job)

    assert OBJECTS == _results(tmp_path, bucket)
    assert [f"stopped: {OBJECTS} received = {OBJECTS} stored + 0 ignored + 0 set aside + 0 returned"] == [
        line.partition("INFO  ")[2] for line in job.lines_with("stopped: ") if not line.startswith("[")
    ]
    assert {"[1]", "[2]"} == {line.split()[0] for line in job.lines_with("started: ")}


def test_a_killed_worker_starts_again_and_what_it_held_is_processed(
    tmp_path: Path, sqs: SQSClient, queue: str, bucket: str
) -> None:
    """Its messages are back within the visibility timeout."""
    _fill(sqs, queue, bucket)

    with _job(tmp_path, queue, "--processor=tells:holds", "--visibility_timeout_s=5") as job:
        job.wait_for_line("started: ", times=2)
        assert until(lambda: bool(_pids(tmp_path)))
        os.kill(_pids(tmp_path)[0], signal.SIGKILL)
        job.wait_for_line("crashed (killed by SIGKILL); it starts again in 0.5 s")
        (tmp_path / "go").touch()
        job.wait_for_line("started: ", times=3)
        assert until(lambda: _results(tmp_path, bucket) == OBJECTS), str(job)
        assert until(lambda: _waiting_and_held(sqs, queue) == ("0", "0")), str(job)
        job.signal(signal.SIGTERM)
        assert 0 == job.wait(), str(job)

    (summary,) = [line for line in job.lines_with("stopped: ") if not line.startswith("[")]
    assert re.search(r"(\d+) received = \1 stored .* 1 crashed, what they held comes back by itself", summary), summary


def test_workers_finish_what_they_hold_when_their_supervisor_is_killed(
    tmp_path: Path, sqs: SQSClient, queue: str, bucket: str
) -> None:
    """And give back the rest at once: nothing is held afterwards, far before the visibility timeout."""
    _fill(sqs, queue, bucket)

    with _job(tmp_path, queue, "--processor=tells:holds", "--visibility_timeout_s=600") as job:
        job.wait_for_line("started: ", times=2)
        assert until(lambda: bool(_pids(tmp_path)))
        job.signal(signal.SIGKILL)
        job.wait_for_line("stopping: ", times=2)
        (tmp_path / "go").touch()
        job.wait_for_line("stopped: ", times=2)
        assert until(lambda: not any(map(_is_alive, _pids(tmp_path)))), str(job)

    assert "0" == _waiting_and_held(sqs, queue)[1]
