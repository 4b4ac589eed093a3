"""The alerts, the dashboard and the page about metrics name what there is, and nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from transforms.metric_table import METRICS, metrics_markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ALERTS = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text(encoding="utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/dashboard.json").read_text(encoding="utf-8"))
SERIES = {series: metric for metric in METRICS for series in metric.series}
NAME = re.compile(r"\b[a-z_]*sqs_pipeline[a-z_]*|\b[a-z_]+(?=[{\[])")
LABELS = re.compile(r"by \(([^)]*)\)")
OF_PROMETHEUS = {"job", "instance", "le"}


def _queries() -> Iterator[tuple[str, str]]:
    """Yield every query, and where it stands."""
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']} ({target['refId']})", target["expr"]


def _names(query: str) -> list[str]:
    """Answer what looks like a metric; also with a mistake in its first letters, where a selector follows."""
    return NAME.findall(query)


each_query = pytest.mark.parametrize(
    "query", [query for _, query in _queries()], ids=[where for where, _ in _queries()]
)


@each_query
def test_every_name_in_a_query_is_a_metric(query: str) -> None:
    """A misspelt one would never alert, and never be missed."""
    assert _names(query)
    assert [] == [name for name in _names(query) if name not in SERIES]


@each_query
def test_a_query_groups_by_labels_that_its_metrics_have(query: str) -> None:
    """Or everything would be in one group without a name."""
    labels = {SERIES[name].label for name in _names(query)} | OF_PROMETHEUS
    grouped = {label.strip() for group in LABELS.findall(query) for label in group.split(",")}

    assert set() == grouped - labels


@each_query
def test_a_counter_is_asked_for_its_rate_and_nothing_else_is(query: str) -> None:
    """The number itself begins anew with each process; a gauge has no rate."""
    for name in _names(query):
        is_rate = re.search(rf"\b(rate|increase)\({name}\b", query) is not None

        assert is_rate == (SERIES[name].type != "gauge"), name


@each_query
def test_every_bracket_is_closed(query: str) -> None:
    """Nobody here can say more about its grammar."""
    counts = Counter(query)

    assert [0, 0, 0] == [counts[opened] - counts[closed] for opened, closed in ("()", "[]", "{}")]


def test_every_promise_of_the_job_has_its_alert() -> None:
    """By the metrics that they look at."""
    looked_at = {SERIES[name].name for rule in RULES for name in _names(rule["expr"])}

    assert {
        "queue_backlog_messages",
        "messages_stored",
        "messages_set_aside",
        "lag_seconds",
        "worker_crashes",
        "possible_duplicates",
        "outage_seconds",
        "balance_messages",
    } <= looked_at


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    """In two sentences, with a severity."""
    for rule in RULES:
        assert {"summary", "description"} == set(rule["annotations"]), rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"]))) <= {
            label.strip() for group in LABELS.findall(rule["expr"]) for label in group.split(",")
        }, rule["alert"]


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    """And each is there once."""
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len(cells) == len(set(cells))
    assert all(x < 24 for x, _ in cells)
    assert len(DASHBOARD["panels"]) == len({panel["id"] for panel in DASHBOARD["panels"]})


def test_the_metrics_in_docs_metrics_are_the_generated_ones() -> None:
    """`python -c 'from transforms.metric_table import …; print(metrics_markdown_table())'` makes the table."""
    _, _, rest = (ROOT / "docs/metrics.md").read_text(encoding="utf-8").partition("<!-- metrics -->\n")
    table, end, _ = rest.partition("<!-- /metrics -->")

    assert end
    assert metrics_markdown_table().strip() == table.strip()
