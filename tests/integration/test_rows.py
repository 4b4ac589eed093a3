"""Functions that return rows and files, through the job's command: in a directory and in S3, whole or not at all."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.command import until
from tests.integration.jobs import REGION, TEXT, Place, a_job
from transforms import aws as transforms_aws
from transforms.processing_timeout import HUNG_EXIT_CODE
from transforms.result_names import result_name
from transforms.stores import PROBE

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT_S = 90
MINE = """
import csv
import io
import threading
from datetime import UTC, datetime

from transforms import File


def rows(content):
    for number, line in enumerate(content.lines()):
        yield {"line": line.decode(), "at": datetime(2026, 1, 2, tzinfo=UTC)}
    return {"lines": number + 1}


def table(content):
    text = io.StringIO()
    csv.writer(text).writerows([line.decode()] for line in content.lines())
    return File(".csv", text.getvalue().encode(), fields={"columns": 1})


def large(content):
    return File(".bin", (bytes([number]) * 1_000_000 for number in range(12)))


def stumbles(content):
    yield from ({"number": number} for number in range(1000))
    raise LookupError("no such customer")


def hangs(content):
    yield {"number": 1}
    threading.Event().wait()


def many(content):
    for number in range(1_000_000):
        yield {"number": number, "text": "x" * 80}
"""
ROWS = b"".join(b'{"line": "%s", "at": "2026-01-02T00:00:00.000Z"}\n' % line for line in TEXT.split(b"\n"))
FILES: dict[str, tuple[str, bytes, dict[str, int], dict[str, int]]] = {
    "rows": (".jsonl", ROWS, {"lines": 3}, {"count": 3}),
    "table": (".csv", b"one\r\ntwo\r\nthree\r\n", {"columns": 1}, {}),
    "large": (".bin", b"".join(bytes([number]) * 1_000_000 for number in range(12)), {}, {}),
}
"""Of each function: the suffix and the content of its file, its fields, and what is told of rows alone."""


@pytest.fixture
def told(place: Place, tmp_path: Path) -> Place:
    """Make a queue that tells of the object `a`, and the user's module."""
    (tmp_path / "mine.py").write_text(MINE)
    place.upload("a")
    return place


def _stored(output: str, tmp_path: Path) -> dict[str, bytes]:
    """Read all that is in the output, by its name there."""
    if not output.startswith("s3://"):
        folder = tmp_path / output
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    bucket, _, prefix = output.removeprefix("s3://").partition("/")
    s3 = transforms_aws.client("s3", REGION)
    keys = [found["Key"] for found in s3.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])]
    return {
        key.removeprefix(f"{prefix}/"): s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in keys
        if not key.endswith(PROBE)
    }


@pytest.mark.parametrize("function", FILES)
@pytest.mark.parametrize("output", ["output", "s3://{bucket}/results"])
def test_the_file_is_beside_the_document_that_says_where_it_is(
    told: Place, tmp_path: Path, output: str, function: str
) -> None:
    """Its name relative to the output, its bytes, and of rows their count; nothing else is left."""
    output = output.format(bucket=told.bucket)
    with a_job(told, tmp_path, f"--processor=mine:{function}", f"--output={output}", "--max_messages=1") as job:
        assert job.wait(TIMEOUT_S) == 0, str(job)

    suffix, content, fields, rows = FILES[function]
    stored = _stored(output, tmp_path)
    source = told.source("a")
    document_name, name = (result_name(told.bucket, "a", source["etag"], ending) for ending in (".json", suffix))
    assert {document_name, name} == stored.keys()
    assert content == stored[name]
    document = json.loads(stored[document_name])
    where = {"name": name, **rows, "bytes": len(content)}
    assert {**fields, "rows": where, "source": source, "processed_at": document["processed_at"]} == document


def test_an_error_after_a_thousand_rows_leaves_nothing_behind(told: Place, tmp_path: Path) -> None:
    """But the dead letter, with the traceback."""
    with a_job(told, tmp_path, "--processor=mine:stumbles", "--give_up_after=1", "--max_messages=1") as job:
        assert job.wait(TIMEOUT_S) == 0, str(job)

    ((name, letter),) = _stored("output", tmp_path).items()
    assert name.startswith("_dead_letters/")
    assert "processor_error" == json.loads(letter)["kind"]
    assert "in stumbles" in json.loads(letter)["traceback"]


def test_a_generator_that_hangs_between_two_rows_ends_as_a_call_that_hangs(told: Place, tmp_path: Path) -> None:
    """Its time is watched until the last row; it is settled by name, its process ends, and no row is left."""
    options = ("--max_processing_s=1", "--give_up_after=1", "--pipelines=0")
    with a_job(told, tmp_path, "--processor=mine:hangs", *options) as job:
        assert job.wait(TIMEOUT_S) == HUNG_EXIT_CODE, str(job)

    ((name, letter),) = _stored("output", tmp_path).items()
    assert name.startswith("_dead_letters/")
    assert "did not return within 1 s" in json.loads(letter)["detail"]
    assert "in hangs" in json.loads(letter)["traceback"]


def test_what_has_rows_already_is_not_done_again(told: Place, tmp_path: Path) -> None:
    """The ledger asks for the document; a message that comes again is `already_finished`."""
    options = ("--processor=mine:rows", "--max_messages=1")
    with a_job(told, tmp_path, *options) as first:
        assert first.wait(TIMEOUT_S) == 0, str(first)
    told.upload("a")
    sqs = transforms_aws.client("sqs", REGION)  # received by a process that then died, before it deleted
    assert 1 == len(sqs.receive_message(QueueUrl=told.url, VisibilityTimeout=0)["Messages"])
    before = _stored("output", tmp_path)
    with a_job(told, tmp_path, *options) as second:
        assert second.wait(TIMEOUT_S) == 0, str(second)

    assert second.lines_with("stopped: 1 received = 0 stored + 1 ignored")
    assert before == _stored("output", tmp_path)


@pytest.mark.parametrize("output", ["output", "s3://{bucket}/results"])
def test_a_million_rows_need_no_more_memory_than_a_few(told: Place, tmp_path: Path, output: str) -> None:
    """A hundred megabytes of them; Python alone would take five times that to hold them."""
    where = f"--output={output.format(bucket=told.bucket)}"
    with a_job(told, tmp_path, "--processor=mine:many", where, "--pipelines=0") as job:
        job.wait_for_line("fetched s3://")
        before = job.peak_memory_kib()
        assert until(lambda: bool(job.lines_with(" stored s3://")), TIMEOUT_S), str(job)
        after = job.peak_memory_kib()
        job.signal(signal.SIGTERM)
        assert job.wait(TIMEOUT_S) == 0, str(job)

    sizes = {name.rpartition(".")[2]: len(content) for name, content in _stored(where[9:], tmp_path).items()}
    assert sizes["jsonl"] > 100_000_000
    assert before is not None
    assert after is not None
    assert after - before < 64 * 1024, f"{before} KiB became {after}"
