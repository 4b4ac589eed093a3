"""The job on a real Flink, and on a real Spark, wherever one is named. Beam's job servers are not in every reach.

| variable | what |
|---|---|
| `FLINK_JOB_SERVER_JAR` | Beam's job server for Flink; it runs a Flink of its own, or uses that of `FLINK_REST_URL` |
| `FLINK_JOB_ENDPOINT` | or a job server that is running already, as host:port |
| `FLINK_REST_URL` | the cluster's, like http://host:8081; the tests that stop a job with a savepoint need one |
| `SPARK_JOB_SERVER_JAR` | Beam's job server for Spark 3; it runs a Spark of its own |

Workers are started here, by the pool, so a cluster must be on this machine.
"""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.command import until
from tests.integration.jobs import COUNTED, TEXT, a_job, the_documents

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Command
    from tests.integration.jobs import Place

START_S = 180
"""A JVM, and a job that is deployed on it."""


@pytest.fixture
def flink(pool: tuple[Command, int]) -> Iterator[tuple[str, ...]]:
    """Answer what runs a job on Flink, with workers of the pool; jobs that a test leaves behind are cancelled."""
    jar, endpoint = os.environ.get("FLINK_JOB_SERVER_JAR"), os.environ.get("FLINK_JOB_ENDPOINT")
    rest = os.environ.get("FLINK_REST_URL")
    if jar:
        master = urlsplit(rest).netloc if rest else "[local]"
        runner = ("--runner=FlinkRunner", f"--flink_job_server_jar={jar}", f"--flink_master={master}")
    elif endpoint:
        runner = ("--runner=PortableRunner", f"--job_endpoint={endpoint}")
    else:
        pytest.skip("neither FLINK_JOB_SERVER_JAR nor FLINK_JOB_ENDPOINT names a job server of Beam")
    before = running_jobs() if rest else set()
    workers = ("--environment_type=EXTERNAL", f"--environment_config=localhost:{pool[1]}", "--shared_output")
    yield (*runner, *workers, "--checkpointing_interval=3000")
    for job in running_jobs() - before if rest else set():
        ask_flink("PATCH", f"/jobs/{job}?mode=cancel")


@pytest.fixture
def cluster(flink: tuple[str, ...]) -> tuple[str, ...]:
    """Answer the same, where Flink can be spoken with."""
    if "FLINK_REST_URL" not in os.environ:
        pytest.skip("FLINK_REST_URL names no cluster")
    return flink


def ask_flink(method: str, path: str, **body: object) -> dict[str, Any]:
    """Ask a cluster's REST interface."""
    request = urllib.request.Request(  # noqa: S310 - the tester's own URL
        os.environ["FLINK_REST_URL"].rstrip("/") + path,
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        answered: dict[str, Any] = json.loads(answer.read() or b"{}")
    return answered


def running_jobs() -> set[str]:
    """Answer the ids of a cluster's jobs."""
    return {job["jid"] for job in ask_flink("GET", "/jobs/overview")["jobs"] if job["state"] == "RUNNING"}


def stop_with_savepoint(job: str, folder: Path) -> str:
    """Stop a job without draining it, which a live source never lets end; answer where its savepoint is."""
    trigger = ask_flink("POST", f"/jobs/{job}/stop", targetDirectory=folder.as_uri(), drain=False)["request-id"]
    answers: list[dict[str, Any]] = []

    def is_completed() -> bool:
        answers.append(ask_flink("GET", f"/jobs/{job}/savepoints/{trigger}"))
        return bool(answers[-1]["status"]["id"] == "COMPLETED")

    assert until(is_completed, START_S), answers[-1:]
    return str(answers[-1]["operation"]["location"])


def exact(place: Place, *keys: str) -> dict[str, dict[str, Any]]:
    """Answer the one right result for each key."""
    return {key: {**COUNTED, "source": place.source(key)} for key in keys}


def test_flink_streams_and_a_killed_worker_loses_nothing(
    place: Place, tmp_path: Path, flink: tuple[str, ...], pool: tuple[Command, int], fifo: Path
) -> None:
    """Results are there while the source lives; after kill -9 of its worker the job goes on with another."""
    place.upload("a", "b")
    options = ("--processor=blocks:on_slow", "--visibility_timeout_s=5", "--receivers=2")
    with a_job(place, tmp_path, *flink, *options) as job:
        assert until(lambda: place.left() == (0, 0), START_S), f"{job}\n{pool[0]}"
        assert ["a", "b"] == sorted(the_documents(tmp_path / "output"))
        place.upload("slow", "c")
        pool[0].wait_for_line("begun slow")
        (line,) = pool[0].lines_with("started worker ")
        os.kill(int(line.partition(" as ")[2].split()[0]), signal.SIGKILL)
        assert until(lambda: len(pool[0].lines_with("begun slow")) == 2, START_S), f"{job}\n{pool[0]}"
        fifo.write_text("")
        assert until(lambda: place.left() == (0, 0), START_S), f"{job}\n{pool[0]}"
    expected = {key: {"bytes": len(TEXT), "source": place.source(key)} for key in ("a", "b", "c", "slow")}
    assert expected == the_documents(tmp_path / "output")


def test_a_job_that_flink_stops_with_a_savepoint_resumes_from_it(
    place: Place, tmp_path: Path, cluster: tuple[str, ...]
) -> None:
    """Exit code 0 for the stop, and what came meanwhile is processed after it."""
    before = running_jobs()
    place.upload("a")
    with a_job(place, tmp_path, *cluster) as job:
        assert until(lambda: place.left() == (0, 0) and bool(running_jobs() - before), START_S), str(job)
        (running,) = running_jobs() - before
        savepoint = stop_with_savepoint(running, tmp_path)
        assert job.wait(START_S) == 0, str(job)
    place.upload("b")
    with a_job(place, tmp_path, *cluster, f"--savepoint_path={savepoint}") as job:
        assert until(lambda: len(the_documents(tmp_path / "output")) == 2, START_S), str(job)
        assert until(lambda: place.left() == (0, 0)), str(job)
    assert exact(place, "a", "b") == the_documents(tmp_path / "output")


def test_a_drain_on_flink_finishes(place: Place, tmp_path: Path, flink: tuple[str, ...]) -> None:
    """Exit code 0, exact results, an empty queue."""
    place.upload("a", "b", "c")
    with a_job(place, tmp_path, *flink, "--drain", "--idle_s=2", "--strict", "--receivers=2") as job:
        assert job.wait(START_S) == 0, str(job)
    assert exact(place, "a", "b", "c") == the_documents(tmp_path / "output")
    assert place.left() == (0, 0)


def test_a_drain_on_spark_finishes(place: Place, tmp_path: Path) -> None:
    """The same there."""
    jar = os.environ.get("SPARK_JOB_SERVER_JAR")
    if not jar:
        pytest.skip("SPARK_JOB_SERVER_JAR names no job server of Beam")
    place.upload("a", "b", "c")
    spark = ("--runner=SparkRunner", f"--spark_job_server_jar={jar}", "--spark_master_url=local[2]")
    with a_job(place, tmp_path, *spark, "--drain", "--idle_s=2", "--receivers=2") as job:
        assert job.wait(START_S) == 0, str(job)
    assert exact(place, "a", "b", "c") == the_documents(tmp_path / "output")
    assert place.left() == (0, 0)
