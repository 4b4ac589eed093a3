"""Every metric: its name, what it counts, and where the number comes from. The scrape and docs/metrics.md come of it.

`events.py` counts under short names of its own, and knows nothing of this table but the bounds of its histograms.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from transforms.failures import FailureKind, FinishedKind
from transforms.histograms import DURATION_BOUNDS_S, LAG_BOUNDS_S

PREFIX = "sqs_pipeline_"
NOT_STARTED = "not_started"
"""Kind of a message that was given back before anything was done for it: at a stop."""
UNFINISHED = "unfinished"
"""Kind of a message that was still in hand at the end of its process: SQS delivers it again by itself."""
CRASHED = "crashed"
"""Kind of a message that a process held when it crashed: SQS delivers it again by itself."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table."""

    name: str
    """As scraped, without `PREFIX`; a counter without `_total`."""
    type: Literal["counter", "gauge", "histogram"]
    help: str
    source: str = ""
    """The event of `EventLog` that it counts or measures; a gauge is read elsewhere."""
    label: str = ""
    values: tuple[str, ...] = ()
    """Of the label, told as 0 from the start: nobody sees the increase of what was not there. There may be others."""
    bounds: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As Prometheus shows it."""
        return f"{PREFIX}{self.name}{'_total' if self.type == 'counter' else ''}"

    @property
    def series(self) -> tuple[str, ...]:
        """The names that a query may use."""
        if self.type != "histogram":
            return (self.full_name,)
        return tuple(f"{self.full_name}_{suffix}" for suffix in ("bucket", "sum", "count"))


_FAILURES = tuple(kind.value for kind in FailureKind)

METRICS = (
    Metric("messages_received", "counter", "Messages that SQS delivered, repeats included.", "received"),
    Metric("messages_stored", "counter", "Messages deleted with every result stored.", "stored"),
    Metric(
        "messages_ignored",
        "counter",
        "Messages deleted because there was nothing to do, by the kind of their first record.",
        "ignored",
        label="kind",
        values=tuple(kind.value for kind in FinishedKind),
    ),
    Metric(
        "messages_set_aside",
        "counter",
        "Messages deleted with a dead letter stored, by the kind of the first record that failed.",
        "set_aside",
        label="kind",
        values=_FAILURES,
    ),
    Metric(
        "messages_returned",
        "counter",
        f"Messages given back to the queue, by the kind of the first record that failed. {NOT_STARTED} and"
        f" {UNFINISHED} come of a stop; {CRASHED}: held by a process that died.",
        "returned",
        label="kind",
        values=(*_FAILURES, NOT_STARTED, UNFINISHED, CRASHED),
    ),
    Metric(
        "in_flight_messages",
        "gauge",
        "Messages received whose fate SQS does not know yet, by pipeline.",
        label="pipeline",
    ),
    Metric(
        "in_flight_bytes",
        "gauge",
        "Sizes of their objects in bytes, as notified, by pipeline.",
        label="pipeline",
    ),
    Metric(
        "balance_messages",
        "gauge",
        "Messages received, less those stored, ignored, set aside, returned and in flight. Always 0: anything else is "
        "a bug of this job.",
    ),
    Metric("records_stored", "counter", "Objects whose result was stored.", "stored_records"),
    Metric("records_set_aside", "counter", "Records of messages whose dead letter was stored.", "set_aside_records"),
    Metric("records_returned", "counter", "Records of messages that failed and go back.", "failed_records"),
    Metric("objects_fetched", "counter", "Objects that were fetched, or opened if they are large.", "fetched"),
    Metric("fetched_bytes", "counter", "Their sizes in bytes, as stored.", "fetched_bytes"),
    Metric("objects_processed", "counter", "Objects for which your function returned a result.", "processed"),
    Metric("inflated_bytes", "counter", "The sizes of their contents in bytes, inflated.", "inflated_bytes"),
    Metric(
        "objects_overwritten",
        "counter",
        "Objects fetched whose ETag was no longer the notified one.",
        "overwritten_since",
    ),
    Metric("receives_failed", "counter", "Requests for messages that SQS did not answer well.", "receives_failed"),
    Metric("leases_extended", "counter", "Extensions of visibility timeouts that SQS took.", "leases_extended"),
    Metric("leases_lost", "counter", "Messages that became visible again while they were held.", "leases_lost"),
    Metric(
        "possible_duplicates",
        "counter",
        "Messages deleted after their visibility timeout: somebody else may have received them meanwhile.",
        "possible_duplicates",
    ),
    Metric(
        "receive_duration_seconds",
        "histogram",
        "One answered request for messages, the wait of the long poll included.",
        "receive",
        bounds=DURATION_BOUNDS_S,
    ),
    Metric(
        "fetch_duration_seconds",
        "histogram",
        "One object: until its content is in memory and verified, or a large one is open.",
        "fetch",
        bounds=DURATION_BOUNDS_S,
    ),
    Metric(
        "process_duration_seconds",
        "histogram",
        "One call of your function that returned a result, reading a large object included.",
        "process",
        bounds=DURATION_BOUNDS_S,
    ),
    Metric("write_duration_seconds", "histogram", "Storing one result.", "write", bounds=DURATION_BOUNDS_S),
    Metric(
        "acknowledge_duration_seconds",
        "histogram",
        "From a message's last record to SQS's word that it is deleted or returned, the wait for a batch included.",
        "acknowledge",
        bounds=DURATION_BOUNDS_S,
    ),
    Metric(
        "lag_seconds",
        "histogram",
        "From the time of S3's event to the stored result; from the message's SentTimestamp if the event has no time.",
        "lag",
        bounds=LAG_BOUNDS_S,
    ),
    Metric(
        "queue_backlog_messages",
        "gauge",
        "Messages that wait in the queue: its ApproximateNumberOfMessages, asked once a minute.",
    ),
    Metric(
        "queue_hidden_messages",
        "gauge",
        "Messages that some consumer holds, or that wait for their return: its ApproximateNumberOfMessagesNotVisible.",
    ),
    Metric(
        "queue_delayed_messages",
        "gauge",
        "Messages sent with a delay: its ApproximateNumberOfMessagesDelayed.",
    ),
    Metric(
        "queue_wait_seconds",
        "gauge",
        "The age of the backlog: the longest wait of a message that was received for the first time in the last minute "
        "or two, by its SentTimestamp. Absent if none was.",
    ),
    Metric(
        "outage_seconds",
        "gauge",
        "For how long the outage guard has been pausing because this fails for every message; 0 if it is not.",
        label="area",
        values=("source", "output"),
    ),
    Metric("worker_up", "gauge", "1 while the process of this pipeline runs, else 0.", label="pipeline"),
    Metric(
        "worker_crashes",
        "counter",
        "Ends of the process of this pipeline that nobody asked for.",
        label="pipeline",
    ),
)

BY_SOURCE = {metric.source: metric for metric in METRICS if metric.source}
COUNTED = {source: metric for source, metric in BY_SOURCE.items() if metric.type == "counter"}


def beam_counter(event: str) -> str | None:
    """Answer the name of an event among Beam's metrics, which have no labels; None if it is no metric."""
    source, _, value = event.partition("/")
    metric = COUNTED.get(source)
    if metric is None or bool(metric.label) is not bool(value):
        return None
    return f"{metric.name}_{value}" if value else metric.name


def metrics_markdown_table() -> str:
    """Answer the table of docs/metrics.md; a test keeps the two equal."""
    lines = ["| metric | type | labels | what it says |", "|---|---|---|---|"]
    lines += [
        f"| `{metric.full_name}` | {metric.type} | {f'`{metric.label}`' if metric.label else ''} | {metric.help} |"
        for metric in METRICS
    ]
    return "\n".join(lines) + "\n"
