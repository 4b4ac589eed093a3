"""Many small objects: the job beside the loops that one would write by hand."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import contenders
from benchmarks.picture import picture
from benchmarks.tables import Medians, table
from benchmarks.trials import Load, in_turn, trial

if TYPE_CHECKING:
    from benchmarks.arguments import Arguments
    from benchmarks.contenders import Command
    from benchmarks.report import Report


def run(arguments: Arguments, report: Report) -> None:
    """Measure and tell."""
    load = Load(arguments.objects)
    who: dict[str, Command] = {
        contenders.JOB: contenders.job(),
        contenders.BOTO3: contenders.loop("boto3_loop"),
        contenders.LIMIT: contenders.loop("obstore_loop"),
    }
    with tempfile.TemporaryDirectory(prefix="sqs-pipeline-bench-") as directory:
        go = contenders.go_loop(Path(directory))
        if not isinstance(go, str):
            who[contenders.GO] = go
        runs = in_turn({name: trial(command, load) for name, command in who.items()}, arguments.rounds)
    rows = {name: Medians.of(each, load.objects) for name, each in runs.items()}
    report.small, report.limit = rows, rows[contenders.LIMIT]
    report.saw(rows)
    title = f"{load.objects:,} objects of {load.body.size / 1000:.0f} KB, {load.body.counts[1] / 1000:.0f} KB inflated"
    if arguments.picture:
        caption = f"{title}; medians of {arguments.rounds} rounds on {os.cpu_count()} cores"
        arguments.picture.write_text(picture(rows, ours=contenders.JOB, caption=caption), encoding="utf-8")
    report.tell(
        title,
        table(rows, limit=report.limit),
        f"The limit is the {contenders.LIMIT}.{f' {go}' if isinstance(go, str) else ''}",
    )
