"""The metrics as Prometheus reads them, all pipelines together: the table of `metric_table.py` over what they said."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from transforms.histograms import added
from transforms.metric_table import METRICS, PREFIX
from transforms.records import Door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from prometheus_client.metrics_core import Metric as Family

    from pipeline.aggregates import View
    from pipeline.backlog import QueueState
    from transforms.histograms import Observed
    from transforms.metric_table import Metric

Value = tuple[list[str], float]
"""The label's value, if there is a label, and the number."""


def metrics_text(views: Sequence[View], accept: str) -> tuple[bytes, str]:
    """Answer the text of a scrape and its content type; it is OpenMetrics if `accept` asks for that."""
    registry = CollectorRegistry()
    registry.register(_Collector(views))
    try:
        encode, content_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is no number: as for who asks for nothing
        encode, content_type = choose_encoder("")
    return encode(registry), content_type


class _Collector(Collector):
    """Makes every family of the table."""

    def __init__(self, views: Sequence[View]) -> None:
        self._views = views

    def collect(self) -> Iterator[Family]:
        counts: Counter[str] = Counter()
        for view in self._views:
            counts.update(view.counts)
        for metric in METRICS:
            if metric.type == "histogram":
                yield _histogram(metric, self._views)
            else:
                values = _counted(metric, counts) if metric.source else _READ[metric.name](self._views, counts)
                yield _family(metric, values)


def _family(metric: Metric, values: Sequence[Value]) -> Family:
    make = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    family: CounterMetricFamily | GaugeMetricFamily = make(
        f"{PREFIX}{metric.name}", metric.help, labels=[metric.label] if metric.label else []
    )
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _counted(metric: Metric, counts: Mapping[str, int]) -> list[Value]:
    if not metric.label:
        return [([], counts.get(metric.source, 0))]
    begins = f"{metric.source}/"
    seen = {event.removeprefix(begins): count for event, count in counts.items() if event.startswith(begins)}
    return [([value], count) for value, count in (dict.fromkeys(metric.values, 0) | seen).items()]


def _histogram(metric: Metric, views: Sequence[View]) -> Family:
    empty: Observed = {"counts": [0] * (len(metric.bounds) + 1), "sum": 0.0}
    total: Observed | None = None
    for view in views:
        total = added(total, view.histograms.get(metric.source, empty))
    observed, so_far, buckets = total or empty, 0, []
    for bound, count in zip((*map(float, metric.bounds), float("inf")), observed["counts"], strict=True):
        so_far += count
        buckets.append((str(bound) if bound != float("inf") else "+Inf", float(so_far)))
    family = HistogramMetricFamily(f"{PREFIX}{metric.name}", metric.help)
    family.add_metric([], buckets, observed["sum"])
    return family


# ── what is not counted but read


def _balance(views: Sequence[View], counts: Mapping[str, int]) -> list[Value]:
    settled = sum(counts.get(door, 0) for door in Door)
    return [([], counts.get("received", 0) - settled - sum(view.in_flight for view in views))]


def _in_flight_bytes(view: View) -> int:
    return view.snapshot["in_flight"]["bytes"] if view.snapshot else 0


def _each(read: Callable[[View], float]) -> Callable[[Sequence[View], Mapping[str, int]], list[Value]]:
    return lambda views, _: [([str(view.number)], read(view)) for view in views]


def _queue(read: Callable[[QueueState], float]) -> Callable[[Sequence[View], Mapping[str, int]], list[Value]]:
    """Believe whoever asked last: all ask the same queue."""

    def newest(views: Sequence[View], _: Mapping[str, int]) -> list[Value]:
        states = [view.snapshot["queue"] for view in views if view.snapshot and view.snapshot["queue"]]
        return [([], read(max(states, key=lambda state: state["at"])))] if states else []

    return newest


def _queue_wait(views: Sequence[View], _: Mapping[str, int]) -> list[Value]:
    waits = [view.snapshot["tally"]["longest_wait_s"] for view in views if view.snapshot]
    known = [wait for wait in waits if wait is not None]
    return [([], max(known))] if known else []


def _outage(views: Sequence[View], _: Mapping[str, int]) -> list[Value]:
    seconds = {"source": 0.0, "output": 0.0}
    for view in views:
        for area, lasted_s in view.snapshot["outage"].items() if view.snapshot else ():
            seconds[area] = max(seconds[area], lasted_s)
    return [([area], lasted_s) for area, lasted_s in seconds.items()]


_READ: Mapping[str, Callable[[Sequence[View], Mapping[str, int]], list[Value]]] = {
    "balance_messages": _balance,
    "in_flight_messages": _each(lambda view: view.in_flight),
    "in_flight_bytes": _each(_in_flight_bytes),
    "queue_backlog_messages": _queue(lambda state: state["visible"]),
    "queue_hidden_messages": _queue(lambda state: state["hidden"]),
    "queue_delayed_messages": _queue(lambda state: state["delayed"]),
    "queue_wait_seconds": _queue_wait,
    "outage_seconds": _outage,
    "worker_up": _each(lambda view: float(view.state in {"starting", "running"})),
    "worker_crashes": _each(lambda view: view.crashes),
}
