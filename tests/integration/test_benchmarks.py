"""The benchmark itself, as a command with very little to do: what it measures is not judged here, only that it does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.markdown import rows

ROOT = Path(__file__).resolve().parents[2]
RUN_S = 300


def test_a_short_run_prints_its_tables_and_draws_its_picture(tmp_path: Path) -> None:
    """The job, both Python loops, and results in S3; every result is checked by the benchmark."""
    image = tmp_path / "picture.svg"
    command = [sys.executable, "-m", "benchmarks", "--only=small,output", "--objects=40", "--rounds=1"]
    without_go = {**os.environ, "PATH": str(tmp_path), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [*command, f"--picture={image}"],
        cwd=ROOT,
        env=without_go,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )

    log = done.stdout + done.stderr
    assert 0 == done.returncode, log
    found = {row[0]: row for row in rows(done.stdout) if row[0]}
    expected = {"the job", "boto3 loop", "obstore + isal loop", "results in a directory", "results in S3"}
    assert expected == set(found), log
    assert "100 %" == found["obstore + isal loop"][2], log
    assert "Go is left out: there is no go command here." in done.stdout, log
    assert re.search(r"Alone it serves [\d,]+ objects/s, [\d.]+ times the fastest contender", done.stdout), log
    bars = list(ET.parse(image).iter("{http://www.w3.org/2000/svg}rect"))  # noqa: S314 - our own
    assert 2 * 3 == len(bars), log
