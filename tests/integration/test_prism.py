"""The job on Prism, a portable runner in a process of its own: the source defers, and steps meet over gRPC."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import an_s3_record
from tests.command import Command, is_alive, until
from tests.integration.jobs import COUNTED, a_job, the_dead_letters, the_documents, the_summary

if TYPE_CHECKING:
    from tests.integration.jobs import Place

ROOT = Path(__file__).parents[2]
END_S = 60


def on_prism(place: Place, tmp_path: Path, prism: Path, *options: str) -> Command:
    """Start the job there."""
    return a_job(place, tmp_path, "--runner=PrismRunner", f"--prism_location={prism}", *options)


def the_prism(job: Command) -> int:
    """Answer the id of the process that the job started, once it serves."""
    job.wait_for_line("Serving JobManagement")
    (child,) = job.children()
    return child


@pytest.mark.parametrize("ask", ["SIGTERM", "Ctrl-C"])
def test_the_unbounded_job_streams_and_drains_when_asked(place: Place, tmp_path: Path, prism: Path, ask: str) -> None:
    """Results are there while it runs; then exit code 0, nothing lost, no process of Prism and no .tmp file left."""
    place.upload(*(f"early-{number}" for number in range(10)))
    with on_prism(place, tmp_path, prism) as job:
        pid = the_prism(job)
        assert until(lambda: place.left() == (0, 0), END_S), str(job)
        place.upload("late-1", "late-2")  # while the source lives
        assert until(lambda: place.left() == (0, 0), END_S), str(job)
        keys = {*(f"early-{number}" for number in range(10)), "late-1", "late-2"}
        expected = {key: {**COUNTED, "source": place.source(key)} for key in keys}
        assert expected == the_documents(tmp_path / "output")
        if ask == "SIGTERM":
            job.signal(signal.SIGTERM)
        else:
            os.killpg(job.pid, signal.SIGINT)  # as a terminal does: to all processes of the command
        assert job.wait(END_S) == 0, str(job)
    assert the_summary(job) == "12 received = 12 stored + 0 ignored + 0 set aside + 0 returned"
    assert until(lambda: not is_alive(pid))
    assert [] == list(tmp_path.rglob("*.tmp"))


def test_a_drain_ends_by_itself_and_strict_judges_it(place: Place, tmp_path: Path, prism: Path) -> None:
    """With 1, since something was set aside: the counters come back from Prism. What could be stored is."""
    place.upload("a")
    place.send_records(an_s3_record("gone", bucket=place.bucket))
    with on_prism(place, tmp_path, prism, "--drain", "--idle_s=1", "--strict") as job:
        assert job.wait(END_S) == 1, str(job)
    assert 1 == len(job.lines_with("--strict fails the job: 1 set aside"))
    assert {"a": {**COUNTED, "source": place.source("a")}} == the_documents(tmp_path / "output" / place.bucket)
    assert ["object_gone"] == [letter["kind"] for letter in the_dead_letters(tmp_path / "output")]
    assert place.left() == (0, 0)


def test_a_drain_that_stored_everything_is_exit_code_0(place: Place, tmp_path: Path, prism: Path) -> None:
    """Also to --strict."""
    place.upload("a")
    with on_prism(place, tmp_path, prism, "--drain", "--idle_s=1", "--strict") as job:
        assert job.wait(END_S) == 0, str(job)
    assert place.left() == (0, 0)


def test_a_replay_ends_by_itself_with_the_recorded_results(tmp_path: Path, prism: Path) -> None:
    """Byte for byte what DirectRunner gives."""
    recording = ROOT / "tests" / "replay"
    inputs = ("--replay=tests/replay/*.jsonl", "--objects=tests/replay/objects", f"--output={tmp_path / 'output'}")
    runner = ("--runner=PrismRunner", f"--prism_location={prism}")
    with Command(*inputs, *runner, "--processed_at=2026-01-15T09:10:02Z", "--give_up_after=1", cwd=ROOT) as job:
        assert job.wait(END_S) == 0, str(job)
    assert files_in(recording / "expected") == files_in(tmp_path / "output")


def files_in(folder: Path) -> dict[str, bytes]:
    """Read everything."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("end", ["second signal", "kill -9"])
def test_a_job_that_leaves_at_once_deletes_nothing_and_leaves_no_prism(
    place: Place, tmp_path: Path, prism: Path, fifo: Path, end: str
) -> None:
    """What was in hand comes back when its lease ends."""
    place.upload("slow")
    with on_prism(place, tmp_path, prism, "--processor=blocks:on_slow") as job:
        pid = the_prism(job)
        job.wait_for_line("begun slow")
        if end == "second signal":
            job.signal(signal.SIGTERM)
            job.wait_for_line("stopping: ")
            job.signal(signal.SIGTERM)
            assert job.wait() == 128 + signal.SIGTERM, str(job)
        else:
            job.signal(signal.SIGKILL)
            assert job.wait() == -signal.SIGKILL, str(job)
        assert until(lambda: not is_alive(pid))
    assert place.left() == (0, 1)
    assert {} == the_documents(tmp_path / "output")


def test_a_prism_that_is_not_there_is_refused_with_one_sentence(place: Place, tmp_path: Path) -> None:
    """With exit code 2, before a message is touched."""
    place.upload("a")
    with on_prism(place, tmp_path, Path("nowhere/prism")) as job:
        assert job.wait() == 2, str(job)
    sentence = "--prism_location is nowhere/prism, but there is no such file; it is Prism's binary, or its zip"
    assert [f"sqs-pipeline: {sentence}"] == job.log
    assert place.left() == (1, 0)
