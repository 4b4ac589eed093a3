"""Medians of runs, as rows of a markdown table."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.processes import Measured


@dataclass(frozen=True, slots=True)
class Medians:
    """Of the rounds of one row; for each unit of work, an object or a megabyte."""

    per_s: float
    cpu_ms: float
    whole_cpu_ms: float
    largest_mb: float
    together_mb: float
    stand_in_cpu_ms: float

    @classmethod
    def of(cls, runs: Sequence[Measured], units: float) -> Medians:
        """Of runs that did `units` of work each."""

        def median(value: Callable[[Measured], float]) -> float:
            return statistics.median(value(run) for run in runs)

        return cls(
            per_s=median(lambda run: units / run.busy_s),
            cpu_ms=median(lambda run: 1000 * run.busy_cpu_s / units),
            whole_cpu_ms=median(lambda run: 1000 * run.whole_cpu_s / units),
            largest_mb=median(lambda run: run.largest_mb),
            together_mb=median(lambda run: run.together_mb),
            stand_in_cpu_ms=median(lambda run: 1000 * run.stand_in_cpu_s / units),
        )


def table(rows: Mapping[str, Medians], *, unit: str = "object", limit: Medians | None = None) -> str:
    """Lay rows out, with the shares of `limit` that each reaches: of its rate, and of how little CPU it takes."""
    rate = "objects/s" if unit == "object" else f"{unit}/s"
    cost = f"CPU ms per {unit}"
    heads = ["", rate, "of the limit", cost, "of the limit", "with start-up", "peak MB", "together", "stand-in"]
    lines = [f"| {' | '.join(heads)} |", f"|---{'|---:' * (len(heads) - 1)}|"]
    for name, row in rows.items():
        fast, cheap = (_share(row.per_s, limit.per_s), _share(limit.cpu_ms, row.cpu_ms)) if limit else ("", "")
        lines.append(
            f"| {escaped(name)} | {row.per_s:,.0f} | {fast} | {row.cpu_ms:.2f} | {cheap} | {row.whole_cpu_ms:.2f} "
            f"| {row.largest_mb:,.0f} | {row.together_mb:,.0f} | {row.stand_in_cpu_ms:.2f} |"
        )
    return "\n".join(lines)


def escaped(cell: str) -> str:
    """Write a bar so that it does not end its cell."""
    return cell.replace("|", "\\|")


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %" if whole else ""
