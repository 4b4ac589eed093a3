"""The job alone, with small objects, where one thing varies: latency, amount, processes, destination."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from benchmarks.contenders import job
from benchmarks.payloads import RESULTS_BUCKET
from benchmarks.tables import Medians, table
from benchmarks.trials import Load, in_turn, trial

if TYPE_CHECKING:
    from benchmarks.arguments import Arguments
    from benchmarks.report import Report
    from benchmarks.trials import Trial

HOLD_S = 6
"""In which all pipelines start, before the first message: the others start after the first."""


def latency(arguments: Arguments, report: Report) -> None:
    """Slow servers: how much of its speed does the job keep?"""
    count, get_ms, sqs_ms = arguments.objects, arguments.get_ms, arguments.sqs_ms
    slow = f"{get_ms:g} ms for each GET, {sqs_ms:g} ms for each SQS call"
    trials = {
        "no latency": trial(job(), Load(count)),
        slow: trial(job(), Load(count, get_ms=get_ms, sqs_ms=sqs_ms)),
    }
    rows = _rows(trials, arguments.rounds, dict.fromkeys(trials, count), report)
    kept = rows[slow].per_s / rows["no latency"].per_s
    report.tell(
        f"Latency: the job, {count:,} small objects",
        table(rows, limit=report.limit),
        f"With {slow}, the job keeps {100 * kept:.0f} % of its speed.",
    )


def scale(arguments: Arguments, report: Report) -> None:
    """More and more objects: neither cost nor memory may grow."""
    counts = {f"{count:,} objects": count for count in sorted(arguments.scale)}
    trials = {name: trial(job(), Load(count)) for name, count in counts.items()}
    rows = _rows(trials, arguments.rounds, counts, report)
    names = list(rows)
    fewest, most = names[0], names[-1]
    report.tell(
        "Amount: the job, small objects",
        table(rows, limit=report.limit),
        f"Each of {most} costs {100 * rows[most].cpu_ms / rows[fewest].cpu_ms:.0f} % of the CPU time that each of "
        f"{fewest} does, and the job has {rows[most].largest_mb - rows[fewest].largest_mb:+,.0f} MB more memory.",
    )


def pipelines(arguments: Arguments, report: Report) -> None:
    """A second process: how much faster, where the stand-in needs a core's part too?"""
    load = Load(arguments.objects, hold_s=HOLD_S)
    trials = {f"--pipelines={n}": trial(job(f"--pipelines={n}"), load, stops=False) for n in (1, 2)}
    rows = _rows(trials, arguments.rounds, dict.fromkeys(trials, load.objects), report)
    one, two = rows.values()
    report.tell(
        f"Processes: the job, {load.objects:,} small objects",
        table(rows, limit=report.limit),
        f"Two are {two.per_s / one.per_s:.2f} times as fast as one. They take {_cores(two, two.cpu_ms)} cores and the "
        f"stand-in {_cores(two, two.stand_in_cpu_ms)}, of the {os.cpu_count()} that there are.",
    )


def output(arguments: Arguments, report: Report) -> None:
    """Results as files, or as objects in S3."""
    count = arguments.objects_of_output
    trials = {
        "results in a directory": trial(job(), Load(count)),
        "results in S3": trial(job(), Load(count), output=f"s3://{RESULTS_BUCKET}/results"),
    }
    rows = _rows(trials, arguments.rounds, dict.fromkeys(trials, count), report)
    report.tell(f"Destination: the job, {count:,} small objects", table(rows, limit=report.limit))


def _cores(row: Medians, cpu_ms: float) -> str:
    return f"{row.per_s * cpu_ms / 1000:.2f}"


def _rows(trials: dict[str, Trial], rounds: int, counts: dict[str, int], report: Report) -> dict[str, Medians]:
    runs = in_turn(trials, rounds)
    rows = {name: Medians.of(each, counts[name]) for name, each in runs.items()}
    report.saw(rows)
    return rows
