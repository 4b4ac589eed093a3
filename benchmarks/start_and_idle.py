"""From the start of the command to the first result, and what a job takes that has nothing to do."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.contenders import job
from benchmarks.processes import Contender, ContenderError
from benchmarks.servers import stand_in
from benchmarks.trials import Load, progress, work_directory

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.arguments import Arguments
    from benchmarks.process_tree import Tree
    from benchmarks.report import Report

OBJECTS = 10
PATIENCE_S = 120
SETTLE_S = 3
"""After the last delete, until the job counts as idle."""
IDLE_S = 10
"""How long idling is watched: a long poll of the job."""


@dataclass(frozen=True, slots=True)
class Idle:
    """One run."""

    first_result_s: float
    idle_cpu_ms: float
    """In each second."""
    resident_mb: float


def run(arguments: Arguments, report: Report) -> None:
    """Measure the job as it is started by default: a supervisor and one pipeline."""
    runs = []
    for number in range(arguments.rounds):
        runs.append(_run())
        progress(f"  round {number + 1}: first result after {runs[-1].first_result_s:.1f} s")
    first_s, idle_ms, resident_mb = (
        statistics.median(getattr(run, name) for run in runs)
        for name in ("first_result_s", "idle_cpu_ms", "resident_mb")
    )
    report.tell(
        "Start and idling: the job, supervisor and one pipeline",
        "| | |\n|---|---:|\n"
        f"| from the start of the command to the first result | {first_s:.1f} s |\n"
        f"| CPU time while the queue is empty | {idle_ms:.0f} ms each second, {idle_ms / 10:.1f} % of a core |\n"
        f"| resident meanwhile, both processes | {resident_mb:,.0f} MB |",
    )


def _run() -> Idle:
    with work_directory() as directory, stand_in(*Load(OBJECTS).options()) as server:
        output = directory / "output"
        began = time.monotonic()
        contender = Contender(job("--pipelines=1")(OBJECTS, str(output)), server.environment(), directory / "log")
        try:
            _await_result(output, contender, began + PATIENCE_S)
            first_result_s = time.monotonic() - began
            server.event("last_delete")
            time.sleep(SETTLE_S)
            before = _look(contender)
            time.sleep(IDLE_S)
            after = _look(contender)
        finally:
            contender.end()
            contender.wait(PATIENCE_S)
        if contender.process.returncode:
            raise ContenderError(f"exit code {contender.process.returncode}; it said:\n{contender.said()}")
    return Idle(first_result_s, 1000 * (after.cpu_s - before.cpu_s) / IDLE_S, after.resident_mb)


def _await_result(output: Path, contender: Contender, deadline: float) -> None:
    while next(output.rglob("*.json"), None) is None:
        if contender.look() is None or time.monotonic() > deadline:
            raise ContenderError(f"no result came; it said:\n{contender.said()}")
        time.sleep(0.02)


def _look(contender: Contender) -> Tree:
    tree = contender.look()
    if tree is None:
        raise ContenderError(f"the job has ended, or there is no /proc to look it up; it said:\n{contender.said()}")
    return tree
