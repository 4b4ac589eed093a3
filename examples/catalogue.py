"""The examples: what each shows, over which objects, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sample_access_logs
import sample_logs
import sample_tables
from beside import nothing
from local_api import api
from local_parquet import parquet_files
from local_postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from beside import Beside
    from sample import Sample


@dataclass(frozen=True, slots=True)
class Example:
    """One run of the job that shows something."""

    shows: str
    samples: Callable[[], list[Sample]]
    columns: tuple[str, ...]
    """Fields of the results to show; the first ones of a mapping are told in words."""
    objects: str = "files"
    """What they are, in a word."""
    options: tuple[str, ...] = ()
    """Of the job, beside those that every example has."""
    beside: Callable[[Path], AbstractContextManager[Beside]] = nothing
    """Runs what the processor needs; it is told where the results go."""
    looks_at: str = ""
    """Where there is something to see beside the results."""
    expected: Mapping[str, Any] = field(default_factory=dict)
    """What must be seen there."""


EXAMPLES = {
    "quickstart": Example(
        shows="count lines and bytes, set aside what is corrupt (what runs without --example)",
        samples=sample_logs.samples,
        columns=("line_count", "byte_size"),
        objects="log files",
    ),
    "csv_totals": Example(
        shows="CSV and JSON Lines into totals, in memory for one row; a file with a wrong row is set aside",
        samples=sample_tables.for_totals,
        columns=("orders", "cents", "best"),
        options=("--processor=examples.csv_totals:totals", "--give_up_after=1"),
    ),
    "access_logs": Example(
        shows="summaries of AWS's load balancer, CloudTrail and VPC flow logs; their test files are ignored",
        samples=sample_access_logs.samples,
        columns=("records", "failed", "failing", "errors", "rejected_ports"),
        options=(
            "--processor=examples.access_logs:summary",
            *(f"--key_glob=*/{folder}/*" for folder in ("elasticloadbalancing", "CloudTrail", "vpcflowlogs")),
        ),
    ),
    "to_postgres": Example(
        shows="rows into a real PostgreSQL, exactly once for each object, though one is notified twice",
        samples=sample_tables.for_loads,
        columns=("orders",),
        options=("--processor=examples.to_postgres:Load", "--process_concurrency=4"),
        beside=postgres,
        looks_at="In PostgreSQL",
        expected={"rows": 360, "different orders": 360, "objects loaded": 3},
    ),
    "to_parquet": Example(
        shows="JSON Lines into Parquet files beside the results, streamed; a file of another schema is set aside",
        samples=sample_tables.for_parquet,
        columns=("orders", "row_groups"),
        options=("--processor=examples.to_parquet:to_parquet", "--give_up_after=1"),
        beside=parquet_files,
        looks_at="In the Parquet files",
        expected={
            "files": 4,
            "rows": 360,
            "columns": "order int64, customer string, cents int64, at timestamp[ms, tz=UTC]",
        },
    ),
    "call_api": Example(
        shows="an HTTP call for each object, 16 at once; a refused one comes again by way of the queue",
        samples=sample_tables.for_reviews,
        columns=("review",),
        options=("--processor=examples.call_api:review", "--process_concurrency=16", "--retry_base_s=1"),
        beside=api,
        looks_at="At the API",
        expected={"calls answered": 32, "refused with 503": 1},
    ),
}


def listing() -> list[str]:
    """Name every example, a line each."""
    width = max(map(len, EXAMPLES))
    return [f"{name:<{width}}  {example.shows}" for name, example in EXAMPLES.items()]
