"""The table of metrics: its names, and that what is counted is in it."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from transforms.events import EventLog
from transforms.failures import FailureKind, FinishedKind
from transforms.metric_table import BY_SOURCE, COUNTED, CRASHED, METRICS, NOT_STARTED, UNFINISHED, beam_counter
from transforms.records import Door


def test_every_name_is_one_that_prometheus_takes_and_is_there_once() -> None:
    """With the unit at its end, where there is one."""
    names = [metric.full_name for metric in METRICS]

    assert [] == [name for name, times in Counter(names).items() if times > 1]
    assert [] == [name for name in names if not re.fullmatch(r"sqs_pipeline_[a-z]+(_[a-z]+)*", name)]
    assert all(metric.full_name.endswith("_seconds") for metric in METRICS if metric.type == "histogram")


def test_every_door_has_a_counter_and_all_but_stored_are_by_kind() -> None:
    """The balance is made of them."""
    assert {door.value: "" if door is Door.STORED else "kind" for door in Door} == {
        door.value: COUNTED[door].label for door in Door
    }


def test_every_kind_is_told_from_the_start() -> None:
    """Or nobody would see the increase of the first."""
    failures = {kind.value for kind in FailureKind}

    assert {kind.value for kind in FinishedKind} == set(COUNTED["ignored"].values)
    assert failures == set(COUNTED["set_aside"].values)
    assert failures | {NOT_STARTED, UNFINISHED, CRASHED} == set(COUNTED["returned"].values)


def test_every_histogram_of_the_table_is_measured_and_no_other() -> None:
    """By the log of events."""
    assert {metric.source for metric in METRICS if metric.type == "histogram"} == set(EventLog().tally()["histograms"])
    assert all(BY_SOURCE[source].bounds for source in EventLog().tally()["histograms"])


@pytest.mark.parametrize(
    ("event", "name"),
    [
        ("received", "messages_received"),
        ("stored", "messages_stored"),
        ("set_aside/corrupt_gzip", "messages_set_aside_corrupt_gzip"),
        ("set_aside", None),  # its kinds add up to it
        ("stored/stored", None),
        ("corrupt_gzip", None),
        ("fetch", None),
    ],
)
def test_beams_metrics_have_the_kind_in_their_name(event: str, name: str | None) -> None:
    """They have no labels."""
    assert name == beam_counter(event)
