"""`check` as it is typed, over a job whose surroundings are broken; its fixes, as they are typed, mend them."""

from __future__ import annotations

import gzip
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import finished
from tests.integration.conftest import REGION
from tests.integration.jobs import Place
from tests.shell import run
from transforms import aws as transforms_aws

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def _check(*options: str, directory: Path, environment: Mapping[str, str] | None = None) -> tuple[int, str, str]:
    """Run the command; answer its exit code, its output and what it logged."""
    done = finished("check", *options, cwd=directory, environment=environment)
    return done.returncode, done.stdout, done.stderr


def _found(*options: str, directory: Path, environment: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Run it for a program; answer its exit code, and what is not ok by the name of the check."""
    code, out, _ = _check(*options, "--json", directory=directory, environment=environment)
    report = json.loads(out)
    assert code == report["exit_code"]
    return code, {each["check"]: each for each in report["findings"] if each["level"] != "ok"}


@pytest.fixture
def queue_url(aws: str) -> str:
    """Make a queue of which nobody told S3, and which keeps messages for a minute."""
    sqs = transforms_aws.client("sqs", REGION)
    attributes = {"MessageRetentionPeriod": "60", "DelaySeconds": "5"}
    url: str = sqs.create_queue(QueueName=f"queue-{uuid.uuid4()}", Attributes=attributes)["QueueUrl"]
    return url


def test_each_broken_part_names_its_fix_and_the_fixes_as_typed_mend_them_all(
    bucket: str, queue_url: str, aws: str, tmp_path: Path
) -> None:
    """From nothing but a bucket and a queue to a job that would work; no message is received for it."""
    transforms_aws.client("s3", REGION).put_object(Bucket=bucket, Key="a.gz", Body=gzip.compress(b"one\n"))
    results = f"results-{uuid.uuid4()}"
    options = (f"--queue_url={queue_url}", f"--bucket={bucket}", f"--output=s3://{results}/out")

    code, broken = _found(*options, directory=tmp_path)
    for each in broken.values():
        if each["check"] != "dead letters":  # the same bucket
            run(each["fix"], tmp_path, aws)
    mended = _found(*options, directory=tmp_path)

    assert 2 == code
    assert {
        "redrive policy": "warning",
        "visibility": "warning",
        "retention": "problem",
        "queue policy": "problem",
        "notifications": "problem",
        "output": "problem",
        "dead letters": "problem",
    } == {name: each["level"] for name, each in broken.items()}
    assert (0, {}) == mended
    assert 0 == Place(bucket, queue_url).left()[1]
    listed = transforms_aws.client("s3", REGION).list_objects_v2(Bucket=results)
    assert [] == listed.get("Contents", [])


def test_a_queue_and_a_bucket_that_are_not_there_and_a_function_that_raises(tmp_path: Path, bucket: str) -> None:
    """What it prints is no part of the report; and nothing of a key is."""
    transforms_aws.client("s3", REGION).put_object(Bucket=bucket, Key="a", Body=b"one\n")
    (tmp_path / "mine.py").write_text(
        "print('imported')\ndef f(content):\n    print('called')\n    raise ValueError('odd')\n"
    )
    url = f"{os.environ['AWS_ENDPOINT_URL']}/123456789012/there-is-no-such-queue"
    options = (f"--queue_url={url}", "--bucket=there-is-no-such-bucket", f"--sample=s3://{bucket}/a")

    code, broken = _found(
        *options, "--processor=mine:f", directory=tmp_path, environment={"AWS_SECRET_ACCESS_KEY": "hunter2hunter2"}
    )

    assert 2 == code
    assert {"queue", "notifications", "sample"} == set(broken)
    assert f"aws s3 mb s3://{options[1].partition('=')[2]}" == broken["notifications"]["fix"]
    assert (
        f"mine:f gives no result: processor_error: ValueError: odd ({tmp_path}/mine.py, line 4)"
        == (broken["sample"]["found"])
    )
    assert "hunter2" not in json.dumps(broken)


def test_a_person_reads_lines_without_colours_where_it_is_no_terminal(queue_url: str, tmp_path: Path) -> None:
    """Warnings alone end with 1; what was not looked at is told."""
    sqs = transforms_aws.client("sqs", REGION)
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"MessageRetentionPeriod": "86400"})

    code, out, log = _check(f"--queue_url={queue_url}", directory=tmp_path)

    lines = out.splitlines()
    assert 1 == code
    assert "" == log
    assert f"ok       queue           {queue_url}, a standard queue: 0 messages waiting, 0 held by a receiver" in lines
    assert (
        "warning  retention       24 h: an outage that lasts longer loses messages; the waits between 5 receives add up"
        in out
    )
    assert lines[-1].startswith("With --bucket=NAME it also looks at")
    assert "\x1b" not in out


def test_without_credentials_it_says_so_first(queue_url: str, tmp_path: Path) -> None:
    """And goes on with what needs none."""
    nobody = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(tmp_path)}

    code, broken = _found(f"--queue_url={queue_url}", directory=tmp_path, environment=nobody)

    assert 2 == code
    assert ["credentials", "queue"] == list(broken)
    assert "aws configure" == broken["credentials"]["fix"]


def test_options_that_the_job_would_refuse_are_refused_in_one_sentence(tmp_path: Path) -> None:
    """Also Beam's."""
    code, out, log = _check("--queue_url=http://localhost/1/q", "--direct_num_workers=2", directory=tmp_path)

    assert (2, "") == (code, out)
    assert log.startswith("sqs-pipeline: --direct_num_workers is 2; this job allows 1")
    assert 1 == len(log.splitlines())
