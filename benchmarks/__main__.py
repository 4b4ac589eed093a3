"""`python -m benchmarks`, which is `make bench`: every workload in one run, or those that `--only` names."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks import capacity, large_objects, small_objects, start_and_idle, variations
from benchmarks.arguments import parse
from benchmarks.processes import ContenderError
from benchmarks.report import Report
from benchmarks.trials import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.arguments import Arguments

RUN: dict[str, Callable[[Arguments, Report], None]] = {
    "small": small_objects.run,
    "latency": variations.latency,
    "large": large_objects.run,
    "scale": variations.scale,
    "pipelines": variations.pipelines,
    "output": variations.output,
    "start": start_and_idle.run,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; answer the exit code."""
    arguments, report = parse(argv), Report()
    try:
        for name in arguments.only:
            progress(f"{name}:")
            RUN[name](arguments, report)
    except ContenderError as error:
        print(error, file=sys.stderr)
        return 1
    if report.fastest:
        report.tell("The stand-in", capacity.verdict(report.fastest))
    return 0


if __name__ == "__main__":
    sys.exit(main())
