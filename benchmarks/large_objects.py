"""Large objects: the job beside gzip and beside isal alone, on the same bytes."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

from benchmarks.contenders import JOB, job
from benchmarks.processes import ContenderError, Measured, measure_alone
from benchmarks.tables import Medians, table
from benchmarks.trials import RUN_S, Load, in_turn, trial, work_directory

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.arguments import Arguments
    from benchmarks.report import Report
    from benchmarks.trials import Trial

GZIP = "gzip -dc | wc -l"
LIMIT = "isal alone"
NUMPY = "isal and numpy alone"
_SHELL = 'gzip -dc "$@" | wc -l'


def run(arguments: Arguments, report: Report) -> None:
    """Measure 100 objects of 8 MB, and two of a gigabyte."""
    for load in (Load(100, 8_000_000), Load(2, int(arguments.gigabytes * 1e9))):
        _run(load, arguments.rounds, report)


def _run(load: Load, rounds: int, report: Report) -> None:
    with work_directory() as directory:
        path, body = directory / "object.gz", load.body
        with path.open("wb") as file:
            file.writelines(body.read(0, body.size))
        trials: dict[str, Trial] = {
            JOB: trial(job(), load),
            GZIP: lambda: _gzip(path, load),
            LIMIT: lambda: _isal(path, load, "bytes"),
            NUMPY: lambda: _isal(path, load, "numpy"),
        }
        runs = in_turn(trials, rounds)
    rows = {name: Medians.of(each, load.inflated_mb) for name, each in runs.items()}
    report.tell(
        f"{load.objects} objects of {body.size / 1e6:,.1f} MB, {body.counts[1] / 1e6:,.0f} MB inflated",
        table(rows, unit="MB", limit=rows[LIMIT]),
        f"MB are inflated. The limit is {LIMIT}, which inflates and counts in one thread and fetches nothing. The job "
        f"counts with numpy; of {NUMPY} it reaches {100 * rows[JOB].per_s / rows[NUMPY].per_s:.0f} %.",
    )


def _gzip(path: Path, load: Load) -> Measured:
    log = path.with_name("gzip.log")
    measured = measure_alone(["sh", "-c", _SHELL, "sh", *[str(path)] * load.objects], log, RUN_S)
    _check(int(log.read_text().split()[0]), load)
    return measured


def _isal(path: Path, load: Load, way: str) -> Measured:
    """As for the job, start-up does not count."""
    log = path.with_name("isal.log")
    command = [sys.executable, "-m", "benchmarks.isal_count", way, *[str(path)] * load.objects]
    measured = measure_alone(command, log, RUN_S)
    seconds, cpu_s, lines = log.read_text().split()
    _check(int(lines), load)
    return dataclasses.replace(measured, busy_s=float(seconds), busy_cpu_s=float(cpu_s))


def _check(lines: int, load: Load) -> None:
    expected = load.body.counts[0] * load.objects
    if lines != expected:
        raise ContenderError(f"it counted {lines:,} lines, there are {expected:,}")
