"""The scrape: every metric of the table, of all pipelines together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.web.prometheus import metrics_text
from tests.builders import a_delivery, an_object_ref
from tests.views import a_snapshot, a_tally, a_view
from transforms.failures import FailureKind
from transforms.metric_table import METRICS
from transforms.records import Door, Failure

if TYPE_CHECKING:
    from pipeline.aggregates import View
    from transforms.events import EventLog

REF = an_object_ref()
FAILURE = Failure(a_delivery(), 0, REF, FailureKind.CORRUPT_GZIP, "no", "zlib.error")


def _busy(events: EventLog) -> None:
    """One of each, and two that are in flight."""
    events.received(6)
    events.arrived(6, 12.5)
    events.answered(0.2)
    events.fetched(REF, 9_000, 0.02)
    events.processed(REF, 0.004, 80_000)
    events.stored(REF, "name", 0.0004)
    events.set_aside(FAILURE, "name")
    events.settled(Door.STORED, "stored", 0.1)
    events.settled(Door.IGNORED, "test_event", 0.1)
    events.settled(Door.SET_ASIDE, "corrupt_gzip", 0.1)
    events.settled(Door.RETURNED, "a_kind_of_the_future", 0.1)


def _scraped(*views: View) -> dict[tuple[str, str], float]:
    """Answer each sample by its name and its label's value, as a client parses it."""
    text, _ = metrics_text(views, "")
    return {
        (sample.name.removeprefix("sqs_pipeline_"), next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


BUSY = a_view(a_snapshot(a_tally(_busy), held=2, held_bytes=18_000))


def test_every_metric_of_the_table_is_there_from_the_start_but_what_nobody_knows() -> None:
    """Under its documented name and type, and nothing else is."""
    text, _ = metrics_text([a_view(None)], "")
    families = {family.name: family.type for family in text_string_to_metric_families(text.decode()) if family.samples}
    unknown = {
        "sqs_pipeline_queue_backlog_messages",
        "sqs_pipeline_queue_hidden_messages",
        "sqs_pipeline_queue_delayed_messages",
        "sqs_pipeline_queue_wait_seconds",
    }

    assert {
        metric.full_name.removesuffix("_total"): metric.type for metric in METRICS if metric.full_name not in unknown
    } == families


def test_counters_and_histograms_add_up_over_pipelines() -> None:
    """Whoever asks about the job asks about all of it."""
    scraped = _scraped(BUSY, a_view(a_snapshot(a_tally(_busy), held=2), number=2))

    assert {
        ("messages_received_total", ""): 12,
        ("messages_stored_total", ""): 2,
        ("messages_ignored_total", "test_event"): 2,
        ("messages_ignored_total", "filtered"): 0,
        ("messages_set_aside_total", "corrupt_gzip"): 2,
        ("messages_returned_total", "a_kind_of_the_future"): 2,
        ("fetched_bytes_total", ""): 18_000,
        ("inflated_bytes_total", ""): 160_000,
        ("fetch_duration_seconds_bucket", "0.01"): 0,
        ("fetch_duration_seconds_bucket", "0.025"): 2,
        ("fetch_duration_seconds_bucket", "+Inf"): 2,
        ("fetch_duration_seconds_count", ""): 2,
        ("fetch_duration_seconds_sum", ""): 0.04,
        ("acknowledge_duration_seconds_count", ""): 8,
        ("lag_seconds_bucket", "345600.0"): 0,
        ("lag_seconds_count", ""): 2,
    } == {
        name: scraped[name]
        for name in scraped
        if name
        in {
            *((f"messages_{door}_total", "") for door in ("received", "stored")),
            ("messages_ignored_total", "test_event"),
            ("messages_ignored_total", "filtered"),
            ("messages_set_aside_total", "corrupt_gzip"),
            ("messages_returned_total", "a_kind_of_the_future"),
            ("fetched_bytes_total", ""),
            ("inflated_bytes_total", ""),
            *(("fetch_duration_seconds_bucket", bound) for bound in ("0.01", "0.025", "+Inf")),
            ("fetch_duration_seconds_count", ""),
            ("fetch_duration_seconds_sum", ""),
            ("acknowledge_duration_seconds_count", ""),
            ("lag_seconds_bucket", "345600.0"),
            ("lag_seconds_count", ""),
        }
    }


def test_the_balance_is_what_was_received_less_what_left_and_what_is_held() -> None:
    """And shows it when something is missing."""
    less = a_view(a_snapshot(a_tally(_busy), held=1))

    assert [0, 1] == [_scraped(view)["balance_messages", ""] for view in (BUSY, less)]


def test_what_is_held_and_the_processes_are_told_by_pipeline() -> None:
    """One of them may stand still."""
    scraped = _scraped(BUSY, a_view(None, number=2, state="restarting", crashes=3))

    assert [2, 0] == [scraped["in_flight_messages", number] for number in "12"]
    assert [18_000, 0] == [scraped["in_flight_bytes", number] for number in "12"]
    assert [1, 0] == [scraped["worker_up", number] for number in "12"]
    assert [0, 3] == [scraped["worker_crashes_total", number] for number in "12"]


def test_the_queue_is_believed_once_and_the_newest_answer_counts() -> None:
    """All pipelines ask the same queue."""
    older = a_snapshot(queue={"at": 1.0, "visible": 900, "hidden": 9, "delayed": 1})
    newer = a_snapshot(queue={"at": 2.0, "visible": 500, "hidden": 5, "delayed": 0})
    scraped = _scraped(a_view(newer), a_view(older, number=2), a_view(None, number=3))

    assert [500, 5, 0] == [scraped[f"queue_{what}_messages", ""] for what in ("backlog", "hidden", "delayed")]


def test_the_longest_wait_of_all_counts_and_none_is_told_where_there_was_none() -> None:
    """0 would be a lie."""
    shorter = a_view(a_snapshot(a_tally(lambda events: events.arrived(1, 2.0))), number=2)

    assert math.isclose(12.5, _scraped(BUSY, shorter)["queue_wait_seconds", ""])
    assert ("queue_wait_seconds", "") not in _scraped(a_view(a_snapshot()))


def test_an_outage_is_told_by_area_and_is_as_long_as_it_is_anywhere() -> None:
    """0 where there is none."""
    out = [a_view(a_snapshot(outage={"source": seconds}), number=number) for number, seconds in ((1, 5.0), (2, 61.0))]
    scraped = _scraped(*out, a_view(None, number=3))

    assert (61, 0) == (scraped["outage_seconds", "source"], scraped["outage_seconds", "output"])


@pytest.mark.parametrize("accept", ["text/plain; version=banana", "application/openmetrics-text;version=v1", ";;,=,"])
def test_who_asks_for_nonsense_is_answered_as_who_asks_for_nothing(accept: str) -> None:
    """The log is not for strangers to fill."""
    assert metrics_text([BUSY], "") == metrics_text([BUSY], accept)


def test_who_asks_for_openmetrics_is_answered_in_it() -> None:
    """A newer Prometheus does."""
    text, content_type = metrics_text([BUSY], "application/openmetrics-text; version=1.0.0")

    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
