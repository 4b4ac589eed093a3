"""A backfill through its command line: what is in a bucket is processed once, whatever interrupts it."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import Command, finished, until
from tests.fake_listing import FakeListing
from tests.integration.conftest import REGION
from transforms import aws as transforms_aws

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PATIENCE_S = 60.0
ODD_KEYS = [
    *(
        "/begins",
        "ends/",
        "a//b",
        "a/./b",
        "a/../c",
        "plus+ space %25",
        "ü/日本\u2028z",
        "\x01\x7f",
        "x" * 1024,
        "&=?#",
    ),
    *("a", "a/b", "logs/1", "logs/2", "logs-old/1"),
]
PROCESSORS = """
import os, time

CALLS = []

def tells(content):
    with open("calls", "a") as calls:
        calls.write(content.ref.key + "\\n")
    return {"bytes": len(content.read())}

def holds_after_twenty(content):  # for whoever kills it
    CALLS.append(content.ref.key)
    while len(CALLS) > 20 and not os.path.exists("go"):
        time.sleep(0.02)
    return tells(content)

def fails_once(content):
    CALLS.append(content.ref.key)
    if content.ref.key == "never" or CALLS.count(content.ref.key) == 1:
        raise LookupError("not yet")
    return {}
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Make the directory of a user who has functions of these kinds."""
    (tmp_path / "mine.py").write_text(PROCESSORS)
    return tmp_path


def _put(bucket: str, keys: Iterable[str], body: bytes = b"one\n", **more: str) -> None:
    for key in keys:
        transforms_aws.client("s3", REGION).put_object(Bucket=bucket, Key=key, Body=body, **more)


def _run(here: Path, *options: str, code: int = 0) -> Command:
    """Run a backfill to its end."""
    with Command(*options, cwd=here) as job:
        assert job.wait(PATIENCE_S) == code, str(job)
    return job


def _summary(job: Command) -> str:
    *_, line = job.lines_with("stopped: ")
    return line.partition("stopped: ")[2]


def _results(here: Path) -> list[str]:
    """Answer the keys of which there are results."""
    found = [json.loads(path.read_text()) for path in (here / "output").rglob("*.json")]
    return sorted(document["source"]["key"] for document in found if "source" in document)


def _calls(here: Path) -> list[str]:
    return (here / "calls").read_text().split("\n")[:-1] if (here / "calls").exists() else []


def test_a_backfill_that_was_killed_goes_on_where_it_was(bucket: str, here: Path) -> None:
    """What has a result is not fetched again, what has none is processed; a third run finds nothing to do."""
    keys = sorted(f"logs/{number % 7}/{number}" for number in range(60))
    _put(bucket, keys)
    options = (f"--backfill=s3://{bucket}/logs/", "--processor=mine:holds_after_twenty", "--pipelines=0")
    with Command(*options, cwd=here) as job:
        assert until(lambda: len(_results(here)) >= 20, PATIENCE_S), str(job)
        job.kill_group()
    done = _results(here)
    assert 20 <= len(done) < 60
    (here / "calls").unlink()
    (here / "go").touch()

    second = _run(here, *options)

    assert f"60 received = {60 - len(done)} stored + {len(done)} ignored + 0 set aside + 0 returned" == _summary(second)
    assert sorted(set(keys) - set(done)) == sorted(_calls(here))
    assert keys == _results(here)
    third = _run(here, *options)
    assert "60 received = 0 stored + 60 ignored + 0 set aside + 0 returned" == _summary(third)
    assert 60 - len(done) == len(_calls(here))
    again = _run(here, *options, "--reprocess", "--max_messages=10")
    assert "10 received = 10 stored + 0 ignored + 0 set aside + 0 returned" == _summary(again)


def test_every_object_is_processed_once_whatever_its_key_and_however_often_it_is_listed(
    bucket: str, here: Path
) -> None:
    """Markers of folders are left out; what is archived is set aside at once."""
    _put(bucket, ODD_KEYS)
    _put(bucket, ["folder/", "a/"], b"")
    _put(bucket, ["cold/1", "cold/2"], StorageClass="GLACIER")
    places = (f"--backfill=s3://{bucket}", f"--backfill=s3://{bucket}/logs", f"--backfill=s3://{bucket}/logs/")

    job = _run(here, *places, "--processor=mine:tells")

    assert f"{len(ODD_KEYS) + 2} received = {len(ODD_KEYS)} stored + 0 ignored + 2 set aside + 0 returned" == (
        _summary(job)
    )
    assert sorted(ODD_KEYS) == _results(here) == sorted(_calls(here))
    assert 2 == len(job.lines_with(": archived: "))
    (line,) = job.lines_with("backfill: ")[-1:]
    assert line.endswith(f"{len(ODD_KEYS) + 2} objects listed (68 bytes), 2 directory markers")


def test_filters_are_those_of_the_queue(bucket: str, here: Path) -> None:
    """And what the job itself stores in the bucket is never processed."""
    _put(bucket, ["a.gz", "b.txt", "results/c.gz"])
    options = (f"--backfill=s3://{bucket}/", "--key_glob=*.gz", f"--output=s3://{bucket}/results")

    job = _run(here, *options)

    assert re.match(r"\d+ received = 1 stored \+ \d+ ignored \+ 0 set aside", _summary(job))
    assert "0 received = 0 stored" in _summary(_run(here, *options, "--until=2020-01-01"))


def test_a_bucket_that_is_not_there_refuses_the_start(bucket: str, here: Path) -> None:
    """One sentence, exit code 2; a prefix with nothing under it is told, and is the end of it."""
    refused = _run(here, "--backfill=s3://no-such-bucket/logs", code=2)
    empty = _run(here, f"--backfill=s3://{bucket}/logs")

    assert 1 == len(refused.log)
    assert refused.log[0].startswith(
        "sqs-pipeline: backfill:s3://no-such-bucket/logs cannot be used: s3://no-such-bucket/logs: 404 NoSuch"
    )
    assert 1 == len(empty.lines_with(f"nothing is under s3://{bucket}/logs"))


def test_what_fails_comes_again_and_what_never_succeeds_can_be_sent_to_a_queue(bucket: str, here: Path) -> None:
    """The backfill ends when nothing is left, its returns included; a job that reads the queue does the rest."""
    _put(bucket, ["late", "never"])
    options = ("--processor=mine:fails_once", "--retry_base_s=1", "--give_up_after=2")

    job = _run(here, f"--backfill=s3://{bucket}", *options)

    assert "4 received = 1 stored + 0 ignored + 1 set aside + 2 returned" == _summary(job)
    queue = transforms_aws.client("sqs", REGION).create_queue(QueueName=bucket)["QueueUrl"]
    sent = _run(here, "redrive", f"--queue_url={queue}")
    assert sent.lines_with("1 sent")
    drain = _run(here, f"--queue_url={queue}", "--drain", "--idle_s=1")
    assert "1 received = 1 stored + 0 ignored + 0 set aside + 0 returned" == _summary(drain)
    assert ["late", "never"] == _results(here)


def test_several_processes_share_the_keys(bucket: str, here: Path) -> None:
    """Each object is one's alone."""
    _put(bucket, map(str, range(40)))

    job = _run(here, f"--backfill=s3://{bucket}", "--processor=mine:tells", "--pipelines=2")

    assert "40 received = 40 stored + 0 ignored + 0 set aside + 0 returned" == _summary(job)
    assert sorted(map(str, range(40))) == sorted(_calls(here))
    assert 2 == len(job.lines_with("objects listed"))


def test_a_dry_run_says_how_much_there_is_to_do(bucket: str, here: Path) -> None:
    """As the job then does it; on standard output."""
    _put(bucket, ["a", "b", "c"])
    _run(here, f"--backfill=s3://{bucket}/a")

    said = json.loads(finished(f"--backfill=s3://{bucket}", "--dry_run", "--log_format=json", cwd=here).stdout)

    assert {"objects": 3, "bytes": 12} == said["listed"]
    assert {"objects": 1, "bytes": 4} == said["already_finished"]
    assert {"objects": 2, "bytes": 8} == said["to_process"]
    assert ["a"] == _results(here)


def test_on_a_terminal_there_is_a_bar(bucket: str, here: Path) -> None:
    """Below the lines of the log."""
    _put(bucket, ["a", "b", "c"])
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pipeline", f"--backfill=s3://{bucket}"]
    with subprocess.Popen(command, cwd=here, env={**os.environ, "TERM": "xterm"}, stderr=theirs) as job:
        os.close(theirs)
        drawn = _read(ours)

    assert 0 == job.returncode, drawn
    assert re.search(r"backfill .*━.* \d+ done of \d+ objects listed", drawn)
    assert "3 received = 3 stored + 0 ignored + 0 set aside + 0 returned" in drawn


def _read(terminal: int) -> str:
    """Read all that is written to a terminal until it is closed, which Linux tells as an error."""
    drawn = b""
    try:
        while piece := os.read(terminal, 65536):
            drawn += piece
    except OSError:
        pass
    os.close(terminal)
    return drawn.decode()


@pytest.mark.parametrize(
    "question",
    [
        {"Prefix": ""},
        {"Prefix": "", "Delimiter": "/"},
        {"Prefix": "a/", "Delimiter": "/"},
        {"Prefix": "a", "StartAfter": "a/../c"},
        {"Prefix": "", "StartAfter": "a"},
        {"Prefix": "nothing"},
        {"Prefix": "", "MaxKeys": 1},
    ],
)
def test_the_listing_of_the_unit_tests_answers_as_the_server_does(bucket: str, question: dict[str, Any]) -> None:
    """So that it cannot drift."""
    _put(bucket, ODD_KEYS)
    answers = [
        client.list_objects_v2(Bucket=bucket, **question)
        for client in (transforms_aws.client("s3", REGION), FakeListing(ODD_KEYS))
    ]
    server, fake = [
        (
            [entry["Key"] for entry in answer.get("Contents", ())],
            [entry["Prefix"] for entry in answer.get("CommonPrefixes", ())],
            answer["IsTruncated"],
            answer["KeyCount"],
        )
        for answer in answers
    ]

    assert server == fake
