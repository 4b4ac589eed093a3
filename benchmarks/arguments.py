"""The command line of `python -m benchmarks`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKLOADS = ("small", "latency", "large", "scale", "pipelines", "output", "start")
OBJECTS = 20_000
OUTPUT_PART = 4
"""The `output` workload takes this part of the objects."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What to measure."""

    only: tuple[str, ...] = WORKLOADS
    objects: int = OBJECTS
    rounds: int = 3
    scale: tuple[int, ...] = ()
    gigabytes: float = 1
    get_ms: float = 30
    sqs_ms: float = 10
    picture: Path | None = None

    @property
    def objects_of_output(self) -> int:
        """Objects in the runs of `output`."""
        return max(1, self.objects // OUTPUT_PART)


def parse(argv: Sequence[str] | None = None) -> Arguments:
    """Read the command line; exit with a sentence if it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the job beside hand-written loops, on the same stand-in servers, in one run.",
    )
    parser.add_argument("--only", type=_workloads, default=WORKLOADS, help=f"some of {','.join(WORKLOADS)}")
    parser.add_argument("--objects", type=_count, default=OBJECTS, help="small objects in each run (default 20,000)")
    parser.add_argument("--rounds", type=_count, default=3, help="how often each contender runs (default 3)")
    parser.add_argument("--scale", type=_counts, help="objects of each scale run (default: 1/20, 1/2, 5 of --objects)")
    parser.add_argument("--gigabytes", type=float, default=1, help="inflated size of a large object (default 1)")
    parser.add_argument("--get_ms", type=float, default=30, help="latency of each GET in `latency` (default 30)")
    parser.add_argument("--sqs_ms", type=float, default=10, help="latency of each SQS call in `latency` (default 10)")
    parser.add_argument("--picture", type=Path, help="write the picture of the small objects to this file")
    given = vars(parser.parse_args(argv))
    if given["picture"] and "small" not in given["only"]:
        parser.error("--picture shows the small objects: --only must have them")
    objects = given["objects"]
    given["scale"] = given["scale"] or (max(1, objects // 20), max(1, objects // 2), 5 * objects)
    return Arguments(**given)


def _workloads(text: str) -> tuple[str, ...]:
    named = text.split(",")
    unknown = [name for name in named if name not in WORKLOADS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(WORKLOADS)}")
    return tuple(name for name in WORKLOADS if name in named)


def _count(text: str) -> int:
    number = int(text.replace("_", ""))
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_count(each) for each in text.split(","))
