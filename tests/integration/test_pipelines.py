"""Two supervised pipelines on one queue: nothing is lost when one of them, or their supervisor, is killed."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.command import is_alive, until
from tests.integration.jobs import Place, a_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.command import Command

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
def full(place: Place) -> Place:
    """Put objects into the bucket, and a message about each into its queue."""
    place.upload(*(f"{number}.txt" for number in range(OBJECTS)))
    return place


@contextlib.contextmanager
def _job(directory: Path, place: Place, *options: str) -> Iterator[Command]:
    (directory / "tells.py").write_text(TELLS)
    with a_job(place, directory, "--runner=DirectRunner", "--pipelines=2", *options) as job:
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


def test_two_pipelines_drain_a_queue_and_one_line_accounts_for_it(tmp_path: Path, full: Place) -> None:
    """Every line says whose it is."""
    with _job(tmp_path, full, "--drain", "--idle_s=3") as job:
        assert 0 == job.wait(), str(job)

    assert OBJECTS == _results(tmp_path, full.bucket)
    assert [f"stopped: {OBJECTS} received = {OBJECTS} stored + 0 ignored + 0 set aside + 0 returned"] == [
        line.partition("INFO  ")[2] for line in job.lines_with("stopped: ") if not line.startswith("[")
    ]
    assert {"[1]", "[2]"} == {line.split()[0] for line in job.lines_with("started: ")}


def test_a_killed_worker_starts_again_and_what_it_held_is_processed(tmp_path: Path, full: Place) -> None:
    """Its messages are back within the visibility timeout."""
    with _job(tmp_path, full, "--processor=tells:holds", "--visibility_timeout_s=5") as job:
        job.wait_for_line("started: ", times=2)
        assert until(lambda: bool(_pids(tmp_path)))
        os.kill(_pids(tmp_path)[0], signal.SIGKILL)
        job.wait_for_line("crashed (killed by SIGKILL); it starts again in 0.5 s")
        (tmp_path / "go").touch()
        job.wait_for_line("started: ", times=3)
        assert until(lambda: _results(tmp_path, full.bucket) == OBJECTS), str(job)
        assert until(lambda: full.left() == (0, 0)), str(job)
        job.signal(signal.SIGTERM)
        assert 0 == job.wait(), str(job)

    (summary,) = [line for line in job.lines_with("stopped: ") if not line.startswith("[")]
    assert re.search(r"(\d+) received = \1 stored .* 1 crashed, what they held comes back by itself", summary), summary


def test_workers_finish_what_they_hold_when_their_supervisor_is_killed(tmp_path: Path, full: Place) -> None:
    """And give back the rest at once: nothing is held afterwards, far before the visibility timeout."""
    with _job(tmp_path, full, "--processor=tells:holds", "--visibility_timeout_s=600") as job:
        job.wait_for_line("started: ", times=2)
        assert until(lambda: bool(_pids(tmp_path)))
        job.signal(signal.SIGKILL)
        job.wait_for_line("stopping: ", times=2)
        (tmp_path / "go").touch()
        job.wait_for_line("stopped: ", times=2)
        assert until(lambda: not any(map(is_alive, _pids(tmp_path)))), str(job)

    assert 0 == full.left()[1]
