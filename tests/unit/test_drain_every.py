"""The loop around a drain, for a cluster that runs nothing without end: `deploy/spark/drain_every.sh`."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.command import until

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "spark" / "drain_every.sh"


def _loop(directory: Path, script: str) -> subprocess.Popen[str]:
    """Run a shell script again and again; it sees `turns`, a file with a line for each turn."""
    return subprocess.Popen(
        [SCRIPT, "0.1", "sh", "-c", f"echo turn >> turns; {script}"],
        cwd=directory,
        stderr=subprocess.PIPE,
        text=True,
    )


def _turns(directory: Path) -> int:
    turns = directory / "turns"
    return turns.read_text().count("turn") if turns.exists() else 0


def test_a_drain_follows_a_drain_also_one_that_failed(tmp_path: Path) -> None:
    """Until it cannot start any more, which no repeating mends."""
    with _loop(tmp_path, '[ "$(wc -l < turns)" -lt 3 ] || exit 2; [ "$(wc -l < turns)" -lt 2 ] || exit 1') as loop:
        _, told = loop.communicate(timeout=60)

    assert (2, 3) == (loop.returncode, _turns(tmp_path))
    assert "drain_every.sh: the drain ended with 1; the next one begins in 0.1 s\n" == told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_loop_that_is_stopped_lets_the_drain_end_and_ends_as_it_does(tmp_path: Path, number: int) -> None:
    """SIGTERM reaches the drain, which may take its time."""
    script = "trap 'echo stopped > end; exit 7' TERM; echo > begun; while :; do sleep 0.05; done"
    with _loop(tmp_path, script) as loop:
        assert until((tmp_path / "begun").exists, 60)
        loop.send_signal(number)

        assert 7 == loop.wait(60)
    assert ("stopped\n", 1) == ((tmp_path / "end").read_text(), _turns(tmp_path))


def test_a_loop_that_is_stopped_between_two_drains_ends_at_once(tmp_path: Path) -> None:
    """With the last one's exit code."""
    begun_at = time.monotonic()
    with subprocess.Popen([SCRIPT, "300", "sh", "-c", "echo > done"], cwd=tmp_path) as loop:
        assert until(lambda: _sleeps(loop.pid), 60)
        loop.terminate()

        assert 0 == loop.wait(60)
    assert time.monotonic() - begun_at < 300


def _sleeps(pid: int) -> bool:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return any(Path(f"/proc/{child}/comm").read_text() == "sleep\n" for child in children)
    except (FileNotFoundError, ProcessLookupError):  # the drain, which ended in between
        return False
