"""Runs contenders in turn, each on a fresh stand-in, and checks that they did the work.

Machines drift and other work interferes, so every round runs each contender once, in an order that alternates, and
tables show medians of the rounds.
"""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.payloads import Body, body_of
from benchmarks.processes import ContenderError, Measured, measure
from benchmarks.results import in_directory
from benchmarks.servers import stand_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.contenders import Command
    from benchmarks.servers import Server

    Trial = Callable[[], Measured]

RUN_S = 900
"""No run may take longer."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the stand-in offers."""

    objects: int
    inflated_bytes: int = 0
    """Of each object; 0 for the small one."""
    get_ms: float = 0
    sqs_ms: float = 0
    hold_s: float = 0

    @property
    def body(self) -> Body:
        """The object behind every key."""
        return body_of(self.inflated_bytes)

    @property
    def inflated_mb(self) -> float:
        """Of all objects, in millions of bytes."""
        return self.objects * self.body.counts[1] / 1e6

    def options(self) -> list[str]:
        """Say it to the stand-in."""
        named = {
            "objects": self.objects,
            "inflated_bytes": self.inflated_bytes,
            "get_ms": self.get_ms,
            "sqs_ms": self.sqs_ms,
            "hold_s": self.hold_s,
        }
        return [f"--{name}={value}" for name, value in named.items()]


def trial(command: Command, load: Load, *, output: str | None = None, stops: bool = True) -> Trial:
    """Answer what runs `command` once; without an `output` of its own it stores in a directory."""

    def run() -> Measured:
        with work_directory() as directory, stand_in(*load.options()) as server:
            place = output or str(directory / "output")
            line = command(load.objects, place)
            measured = measure(server, line, directory / "log", RUN_S, stops=stops)
            _check(server, load, None if output else directory / "output")
            return measured

    return run


@contextmanager
def work_directory() -> Iterator[Path]:
    """Make a directory for one run, in memory where that can be.

    Of a disk, whoever runs next would pay for the files that were removed before.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a fresh directory in it
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="sqs-pipeline-bench-", dir=place) as name:
        yield Path(name)


def in_turn(trials: Mapping[str, Trial], rounds: int) -> dict[str, list[Measured]]:
    """Run every trial in every round. Raises `ContenderError` with the trial's name."""
    runs: dict[str, list[Measured]] = {name: [] for name in trials}
    for number in range(rounds):
        for name in list(trials)[:: -1 if number % 2 else 1]:
            try:
                measured = trials[name]()
            except ContenderError as error:
                raise ContenderError(f"{name} failed: {error}") from error
            runs[name].append(measured)
            again = f", {measured.received_again} messages came twice" if measured.received_again else ""
            progress(
                f"  round {number + 1}: {name}: {measured.busy_s:.1f} s, {measured.busy_cpu_s:.1f} CPU s, "
                f"{measured.largest_mb:.0f} MB{again}"
            )
    return runs


def progress(line: str) -> None:
    """Tell whoever waits; the tables come at the end, on standard output."""
    print(line, file=sys.stderr, flush=True)


def _check(server: Server, load: Load, directory: Path | None) -> None:
    """Every object has one result, and every result is right."""
    if directory:
        results = in_directory(directory, load.body.counts)
        stored, wrong = results.stored, results.wrong
    else:
        stats = server.stats()
        stored, wrong = int(stats["results"]), int(stats["wrong_results"])
    if stored != load.objects or wrong:
        raise ContenderError(f"{stored:,} results for {load.objects:,} objects, {wrong:,} of them wrong")
