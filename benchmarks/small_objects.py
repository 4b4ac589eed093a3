"""The first table: many small objects, the job beside the hand-written loop, on the same stand-in, in turn.

Machines drift and other work interferes, so every round runs each contender once, each on a fresh stand-in, and the
table shows the median of the rounds. Compare the ratios; the figures belong to the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.payloads import small_body
from benchmarks.processes import ContenderError, Measured, measure
from benchmarks.servers import ROOT, stand_in

if TYPE_CHECKING:
    from collections.abc import Callable

BASELINE = "boto3 loop"
ENOUGH = 3
"""How many times the fastest contender the stand-in must be able to serve."""
CONTENDERS: dict[str, Callable[[int, Path], list[str]]] = {
    BASELINE: lambda count, output: ["-m", "benchmarks.boto3_loop", str(count), str(output)],
    "the job": lambda count, output: [
        "-m",
        "pipeline",
        "--runner=DirectRunner",
        "--pipelines=0",
        f"--max_messages={count}",
        f"--output={output}",
    ],
}


def main() -> int:
    """Measure and print; answer the exit code."""
    arguments = _arguments()
    body = small_body()
    print(f"{arguments.objects:,} objects of {body.size:,} bytes, {len(body.inflated):,} inflated, in each run\n")
    runs: dict[str, list[Measured]] = {name: [] for name in arguments.contenders}
    try:
        for number in range(arguments.rounds):
            order = list(runs) if number % 2 == 0 else list(reversed(runs))
            for name in order:
                runs[name].append(_run(name, arguments))
                print(f"round {number + 1}: {name:<12} {_in_words(runs[name][-1], arguments.objects)}", flush=True)
    except ContenderError as error:
        print(f"{name} failed: {error}", file=sys.stderr)
        return 1
    print(f"\n{_table(runs, arguments.objects)}\n\n{_capacity(runs, arguments)}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--objects", type=int, default=5000, help="objects in each run (default 5000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each contender runs (default 3)")
    parser.add_argument("--get_ms", type=float, default=0, help="latency of each GET (default 0)")
    parser.add_argument("--sqs_ms", type=float, default=0, help="latency of each SQS call (default 0)")
    parser.add_argument("--timeout_s", type=float, default=600, help="longest run (default 600)")
    parser.add_argument(
        "--contenders", nargs="+", choices=list(CONTENDERS), default=list(CONTENDERS), help="who takes part"
    )
    return parser.parse_args()


def _run(name: str, arguments: argparse.Namespace) -> Measured:
    """Run one contender once, and check that it did the work."""
    options = (f"--objects={arguments.objects}", f"--get_ms={arguments.get_ms}", f"--sqs_ms={arguments.sqs_ms}")
    with tempfile.TemporaryDirectory(prefix="sqs-pipeline-bench-") as directory, stand_in(*options) as server:
        output = Path(directory) / "output"
        command = [sys.executable, *CONTENDERS[name](arguments.objects, output)]
        measured = measure(server, command, Path(directory) / "log", arguments.timeout_s)
        _check(output, arguments.objects)
    return measured


def _check(output: Path, count: int) -> None:
    """Every object has one result, and every result is right."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in output.rglob("*.json")]
    expected = small_body().counts
    wrong = [each for each in results if (each.get("line_count"), each.get("byte_size")) != expected]
    if len(results) != count or wrong:
        raise ContenderError(f"{len(results)} results for {count} objects, {len(wrong)} of them wrong: {wrong[:1]}")


def _in_words(run: Measured, count: int) -> str:
    return (
        f"{count / run.busy_s:7,.0f} objects/s, {_busy_ms(run, count):.2f} CPU ms per object, "
        f"peak {run.peak_mb:.0f} MB, {run.whole_s:.1f} s in all"
        f"{f', {run.received_again} messages came twice' if run.received_again else ''}"
    )


def _busy_ms(run: Measured, count: int) -> float:
    return 1000 * (run.whole_cpu_s if run.busy_cpu_s is None else run.busy_cpu_s) / count


def _table(runs: dict[str, list[Measured]], count: int) -> str:
    """Lay out the medians, with each contender's ratio to the loop."""

    def median(name: str, value: Callable[[Measured], float]) -> float:
        return statistics.median(value(run) for run in runs[name])

    lines = [
        "| median | objects/s | to the loop | CPU ms per object | to the loop | with start-up | peak MB |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name in runs:
        rate = median(name, lambda run: count / run.busy_s)
        cpu = median(name, lambda run: _busy_ms(run, count))
        whole_cpu = median(name, lambda run: 1000 * run.whole_cpu_s / count)
        ratios = ["", ""]
        if BASELINE in runs:
            ratios = [
                f"{rate / median(BASELINE, lambda run: count / run.busy_s):.2f}",
                f"{cpu / median(BASELINE, lambda run: _busy_ms(run, count)):.2f}",
            ]
        peak = median(name, lambda run: run.peak_mb)
        lines.append(
            f"| {name} | {rate:,.0f} | {ratios[0]} | {cpu:.2f} | {ratios[1]} | {whole_cpu:.2f} | {peak:,.0f} |"
        )
    return "\n".join(lines)


def _capacity(runs: dict[str, list[Measured]], arguments: argparse.Namespace) -> str:
    """Measure what the stand-in alone can serve, and say whether that is enough for the table to mean anything."""
    count = max(arguments.objects, 20_000)
    with stand_in(f"--objects={count}") as server:
        command = [sys.executable, "-m", "benchmarks.capacity", str(server.port)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    capacity = float(done.stdout)
    fastest = max(statistics.median(arguments.objects / run.busy_s for run in each) for each in runs.values())
    times = capacity / fastest
    verdict = "enough" if times >= ENOUGH else f"NOT ENOUGH ({ENOUGH} times are): the table measures the stand-in, too"
    return f"The stand-in alone serves {capacity:,.0f} objects/s, {times:.1f} times the fastest contender: {verdict}."
