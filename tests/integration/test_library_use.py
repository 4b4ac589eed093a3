"""The steps in somebody's own pipeline: the example, as the documentation has it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.command import until
from tests.integration.jobs import the_documents

if TYPE_CHECKING:
    from tests.integration.jobs import Place

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "count_by_bucket.py"
END_S = 60


def the_counts(output: Path) -> Counter[str]:
    """Add up what was counted in all windows, by bucket."""
    counts: Counter[str] = Counter()
    for line in output.read_text().splitlines():
        counted = json.loads(line)
        counts[counted["bucket"]] += counted["messages"]
    return counts


def counting(place: Place, output: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start the example."""
    command = [sys.executable, str(EXAMPLE), f"--queue_url={place.url}", "--wait_time_s=1", *options]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with output.open("wb") as stdout:
        return subprocess.Popen(command, cwd=output.parent, stdout=stdout, env={**os.environ, "PYTHONPATH": paths})


def test_a_window_ends_while_the_queue_goes_on(place: Place, tmp_path: Path, prism: Path) -> None:
    """On Prism: the watermark follows the oldest open message; SIGTERM then ends all, and no message is uncounted."""
    place.upload(*(f"early-{number}" for number in range(5)))
    output = tmp_path / "counts"
    with counting(place, output, "--runner=PrismRunner", f"--prism_location={prism}") as example:
        try:
            assert until(lambda: the_counts(output)[place.bucket] == 5, END_S)
            assert example.poll() is None
            place.upload("late")
            assert until(lambda: place.left() == (0, 0), END_S)
            example.send_signal(signal.SIGTERM)
            assert example.wait(END_S) == 0
        finally:
            example.kill()
    assert {place.bucket: 6} == the_counts(output)
    assert 6 == len(the_documents(tmp_path / "output"))


def test_a_drain_counts_when_it_has_ended(place: Place, tmp_path: Path) -> None:
    """On DirectRunner, which holds back what stands behind a grouping, but never the results."""
    place.upload("a", "b", "c")
    output = tmp_path / "counts"
    with counting(place, output, "--drain", "--idle_s=1") as example:
        assert example.wait(END_S) == 0
    assert {place.bucket: 3} == the_counts(output)
    assert 3 == len(the_documents(tmp_path / "output"))
    assert place.left() == (0, 0)


def test_a_mistake_is_one_sentence(place: Place, tmp_path: Path) -> None:
    """As the job says it, with its exit code."""
    with counting(place, tmp_path / "counts", "--wait_time_s=30") as example:
        assert example.wait(END_S) == 2
