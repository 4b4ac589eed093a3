"""The way to a cluster: Beam's job API, and workers in processes that know nothing of the one that submits the job.

The job server is Beam's own (`--job_endpoint=embed`). It speaks to the workers as those of Flink and Spark do, so what
leans on something of the submitting process breaks here, too.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.builders import an_s3_record
from tests.command import Command, until
from tests.integration.jobs import COUNTED, TEXT, a_job, a_pool, the_dead_letters, the_documents, the_summary

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.jobs import Place

END_S = 60
DRAIN = ("--drain", "--idle_s=1")


def submitted(place: Place, tmp_path: Path, port: int, *options: str, runner: str = "PortableRunner") -> Command:
    """Start the job with workers of a pool, all on one disk."""
    environment = ("--environment_type=EXTERNAL", f"--environment_config=localhost:{port}", "--shared_output")
    return a_job(place, tmp_path, f"--runner={runner}", "--job_endpoint=embed", *environment, *options)


# SparkRunner takes the same way with a job server of its own.
@pytest.mark.parametrize("runner", ["PortableRunner", "SparkRunner"])
def test_a_drain_by_workers_elsewhere_ends_with_exact_results(
    place: Place, tmp_path: Path, pool: tuple[Command, int], runner: str
) -> None:
    """Their counters come back, for the summary and for --strict; their log is the pool's."""
    (tmp_path / "mine.py").write_text("import os\n\n\ndef where(content):\n    return {'pid': os.getpid()}\n")
    place.upload("a", "b")
    place.send_records(an_s3_record("gone", bucket=place.bucket))
    with submitted(place, tmp_path, pool[1], *DRAIN, "--strict", "--processor=mine:where", runner=runner) as job:
        assert job.wait(END_S) == 1, str(job)
    (pool_pid, job_pid) = (pool[0].pid, job.pid)
    documents = the_documents(tmp_path / "output" / place.bucket)
    assert ["a", "b"] == sorted(documents)
    assert {pool_pid, job_pid}.isdisjoint(document["pid"] for document in documents.values())
    assert ["object_gone"] == [letter["kind"] for letter in the_dead_letters(tmp_path / "output")]
    assert "2 stored + 0 ignored + 1 set aside + 0 returned" == the_summary(job)
    assert 1 == len(job.lines_with("--strict fails the job: 1 set aside"))
    pool[0].wait_for_line("ended: exit code 0")
    assert "3 received = 2 stored + 0 ignored + 1 set aside + 0 returned" == the_summary(pool[0])
    assert place.left() == (0, 0)


def test_workers_elsewhere_stream_and_a_kill_loses_nothing(place: Place, tmp_path: Path, fifo: Path) -> None:
    """Kill -9 of the pool and its workers: nothing was deleted before it was stored, and a new pool does the rest."""
    options = ("--processor=blocks:on_slow", "--process_concurrency=2", "--visibility_timeout_s=2")
    keys = [f"k{number}" for number in range(8)]
    place.upload(*keys[:4])
    killed, port = a_pool(tmp_path)
    with killed, submitted(place, tmp_path, port, *options) as job:
        assert until(lambda: place.left() == (0, 0), END_S), str(killed)  # while the source lives
        assert keys[:4] == sorted(the_documents(tmp_path / "output"))
        place.upload("slow", *keys[4:])
        killed.wait_for_line("begun slow")
        killed.kill_group()
        job.kill_group()  # Beam's embedded job server does not see that its workers died
    half_written = set(tmp_path.rglob("*.tmp"))  # by whom nobody could ask to tidy up
    deleted = 9 - sum(place.left())
    assert deleted <= len(the_documents(tmp_path / "output"))
    assert until(lambda: place.left()[1] == 0)  # what the dead held is back
    again, port = a_pool(tmp_path)
    with again, submitted(place, tmp_path, port, *options, *DRAIN, "--strict") as job:
        again.wait_for_line("begun slow")
        fifo.write_text("")
        assert job.wait(END_S) == 0, f"{job}\n{again}"
    expected = {key: {"bytes": len(TEXT), "source": place.source(key)} for key in ("slow", *keys)}
    assert expected == the_documents(tmp_path / "output")
    assert half_written == set(tmp_path.rglob("*.tmp"))
    assert place.left() == (0, 0)


def test_a_pool_that_is_asked_to_stop_finishes_what_its_workers_began_and_gives_back_the_rest(
    place: Place, tmp_path: Path, pool: tuple[Command, int], fifo: Path
) -> None:
    """Exit code 0; the runner is not told that the source has ended, since the job goes on with other workers."""
    place.upload("slow", "b", "c")
    with submitted(place, tmp_path, pool[1], "--processor=blocks:on_slow", "--max_in_flight_bytes=1") as job:
        pool[0].wait_for_line("begun slow")
        pool[0].wait_for_line("received 3 messages")
        pool[0].signal(signal.SIGTERM)
        pool[0].wait_for_line("(not started)", times=2)
        fifo.write_text("")
        assert pool[0].wait(END_S) == 0, str(pool[0])
        assert [] == job.lines_with("stopped: ")
    assert ["slow"] == list(the_documents(tmp_path / "output"))
    assert "3 received = 1 stored + 0 ignored + 0 set aside + 2 returned" == the_summary(pool[0])
    assert place.left() == (2, 0)


def test_workers_whose_runner_is_gone_or_whose_pool_is_killed_give_back_what_they_had_not_started(
    place: Place, tmp_path: Path, pool: tuple[Command, int], fifo: Path
) -> None:
    """They end by themselves: no worker outlives what started it."""
    assert fifo.exists()  # nobody writes to it: the function waits for ever
    place.upload("slow-1", "slow-2", "slow-3")
    options = ("--processor=blocks:on_slow", "--max_in_flight_bytes=1", "--drain_timeout_s=2")
    with submitted(place, tmp_path, pool[1], *options) as job:
        pool[0].wait_for_line("begun slow")
        pool[0].wait_for_line("received 3 messages")
        job.signal(signal.SIGKILL)
        pool[0].wait_for_line("ended: exit code 0")
    assert place.left() == (2, 1)
    with submitted(place, tmp_path, pool[1], *options):
        pool[0].wait_for_line("begun slow", times=2)
        pool[0].wait_for_line("received 2 messages")
        pool[0].signal(signal.SIGKILL)
        assert until(lambda: len(pool[0].lines_with("stopped: ")) == 2), str(pool[0])
    assert place.left() == (1, 2)


def test_a_submitter_that_is_interrupted_says_what_becomes_of_the_job(
    place: Place, tmp_path: Path, pool: tuple[Command, int]
) -> None:
    """Exit code 130, at once."""
    with submitted(place, tmp_path, pool[1]) as job:
        place.upload("a")
        pool[0].wait_for_line(" stored s3://")
        assert until(lambda: place.left() == (0, 0))
        os.kill(job.pid, signal.SIGINT)
        assert job.wait() == 130, str(job)
        pool[0].wait_for_line("ended: exit code 0")
    assert 1 == len(job.lines_with("left; the job ends, and its workers give back what they hold"))
    assert {"a": {**COUNTED, "source": place.source("a")}} == the_documents(tmp_path / "output")


def test_two_pools_do_not_share_a_port(tmp_path: Path, pool: tuple[Command, int]) -> None:
    """One sentence, exit code 2."""
    with Command("worker_pool", f"--port={pool[1]}", cwd=tmp_path) as second:
        assert second.wait() == 2, str(second)
    sentence = f"The worker pool cannot listen at 127.0.0.1:{pool[1]}: another one does"
    assert f"sqs-pipeline: {sentence}" == second.log[-1].partition(",")[0]
    with Command("worker_pool", "--prot=1", cwd=tmp_path) as misspelt:
        assert misspelt.wait() == 2, str(misspelt)
    assert ["sqs-pipeline: --prot is not an option; did you mean --port?"] == misspelt.log


def test_spark_takes_no_queue_without_end(place: Place, tmp_path: Path) -> None:
    """One sentence with the reason and the alternative, exit code 2, and no message is touched."""
    place.upload("a")
    with a_job(place, tmp_path, "--runner=SparkRunner") as job:
        assert job.wait() == 2, str(job)
    sentence = (
        "SparkRunner cannot read a queue without end, because Beam has no such source for Spark; add --drain or "
        "--replay, or use FlinkRunner"
    )
    assert [f"sqs-pipeline: {sentence}"] == job.log
    assert place.left() == (1, 0)
