"""Alive, and ready: what is wrong, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.web.health import wrong_with_life, wrong_with_work
from tests.views import a_snapshot, a_view

if TYPE_CHECKING:
    from pipeline.aggregates import State


@pytest.mark.parametrize(
    ("vitals", "fault"),
    [
        ({}, []),
        ({"flow_idle_s": 30.0}, []),
        ({"flow_idle_s": 31.0}, ["pipeline 1 has not moved for 31 s"]),
        ({"flow_idle_s": 3000.0, "in_function_s": 2999.0}, []),
        ({"flow_idle_s": None}, []),
    ],
    ids=["it moves", "it may wait", "it stands still", "a long call of the function is work", "it begins or ends"],
)
def test_a_pipeline_is_alive_while_beams_thread_moves_or_is_in_the_function(
    vitals: dict[str, Any], fault: list[str]
) -> None:
    """`--max_processing_s` ends a call that takes too long."""
    assert fault == wrong_with_life([a_view(a_snapshot(**vitals))])


@pytest.mark.parametrize(
    ("state", "ago_s", "fault"),
    [
        ("starting", 119, []),
        ("starting", 121, ["pipeline 2 has not started for 121 s"]),
        ("running", 59, []),
        ("running", 61, ["pipeline 2 has said nothing for 61 s"]),
        ("restarting", 1000, []),
        ("ended", 1000, []),
    ],
)
def test_a_process_that_says_nothing_stands_still_and_one_that_starts_again_does_not(
    state: State, ago_s: float, fault: list[str]
) -> None:
    """The supervisor's own limit ends the job when it crashes too often."""
    assert fault == wrong_with_life([a_view(a_snapshot()), a_view(None, number=2, state=state, ago_s=ago_s)])


def test_a_process_that_has_just_begun_to_run_has_nothing_to_say_yet() -> None:
    """For a second."""
    assert [] == wrong_with_life([a_view(None)])


@pytest.mark.parametrize(
    ("vitals", "fault"),
    [
        ({}, None),
        ({"answered_s": 3000.0}, None),
        ({"answered_s": 25.0, "trouble": "503"}, None),
        ({"answered_s": 26.0, "trouble": "503"}, "SQS gives no messages: 503"),
        ({"answered_s": None, "trouble": "503"}, "SQS gives no messages: 503"),
        ({"answered_s": 1.0, "trouble": "denied", "trouble_is_permanent": True}, "SQS gives no messages: denied"),
        ({"stopping": True}, "it is stopping"),
    ],
    ids=[
        "it answers",
        "nobody asks: there is no room",
        "a hiccup of less than two long polls",
        "no answer for two long polls",
        "never an answer",
        "access was taken away",
        "it stops",
    ],
)
def test_a_job_is_ready_while_sqs_answers(vitals: dict[str, Any], fault: str | None) -> None:
    """Two long polls of 10 s, and a little more, is what it may take."""
    faults = wrong_with_work([a_view(a_snapshot(**vitals))], wait_time_s=10)

    assert ([f"pipeline 1: {fault}"] if fault else []) == faults


def test_an_outage_is_told_with_what_is_out() -> None:
    """And since when."""
    out = a_view(a_snapshot(outage={"source": 61.2, "output": 61.2}))

    assert [
        "pipeline 1: reading objects fails for every message, since 61 s",
        "pipeline 1: writing results fails for every message, since 61 s",
    ] == wrong_with_work([out], wait_time_s=10)


def test_a_job_is_ready_when_one_pipeline_receives_and_another_starts() -> None:
    """The queue is reachable. Before the first answer nobody knows."""
    views = [
        a_view(a_snapshot()),
        a_view(None, number=2, state="restarting"),
        a_view(a_snapshot(answered_s=None), number=3),
    ]

    assert [] == wrong_with_work(views, wait_time_s=10)
    assert ["SQS has not answered yet"] == wrong_with_work(views[1:], wait_time_s=10)


def test_where_every_pipeline_crashes_not_sqs_is_blamed() -> None:
    """Until one has been answered again."""
    views = [a_view(None, state="restarting", crashes=2), a_view(None, number=2, state="starting", crashes=1)]

    assert ["pipeline 1 crashed and starts again", "pipeline 2 crashed and starts again"] == wrong_with_work(
        views, wait_time_s=10
    )


def test_what_is_not_alive_is_not_ready() -> None:
    """It may have been, when it last said something."""
    views = [a_view(a_snapshot(), ago_s=100)]

    assert ["pipeline 1 has said nothing for 100 s"] == wrong_with_work(views, wait_time_s=10)
