"""What the processes of a pipeline said, one life after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.aggregates import Aggregate
from tests.builders import a_delivery
from tests.fakes import FakeClock
from tests.views import a_snapshot, a_tally
from transforms.event_tallies import FAILURES_KEPT
from transforms.failures import FailureKind
from transforms.records import Door, Failure

if TYPE_CHECKING:
    from transforms.events import EventLog

FAILURE = Failure(a_delivery(), 0, None, FailureKind.UNREADABLE_NOTIFICATION, "no JSON", "ValueError")


def _did(received: int, stored: int) -> object:
    def do(events: EventLog) -> None:
        events.received(received)
        for _ in range(stored):
            events.settled(Door.STORED, "stored", 0.1)

    return do


@pytest.fixture
def clock() -> FakeClock:
    """Start at an odd time."""
    return FakeClock()


@pytest.fixture
def aggregate(clock: FakeClock) -> Aggregate:
    """Nothing was said yet."""
    return Aggregate(3, clock=clock)


def test_the_counters_of_a_process_that_crashed_stay(aggregate: Aggregate) -> None:
    """What it held comes back by itself, and counts as returned: the balance holds, and no counter goes down."""
    aggregate.hear(a_snapshot(a_tally(_did(5, 3)), held=2))
    before = aggregate.view()
    aggregate.end(None)
    aggregate.crash()
    between = aggregate.view()
    aggregate.becomes("starting")
    aggregate.hear(a_snapshot(a_tally(_did(2, 1)), held=1))
    after = aggregate.view()

    assert {"received": 5, "stored": 3} == before.counts
    assert {"received": 5, "stored": 3, "returned": 2, "returned/crashed": 2} == between.counts
    assert {"received": 7, "stored": 4, "returned": 2, "returned/crashed": 2} == after.counts
    assert [3, 3, 4] == [sum(view.histograms["acknowledge"]["counts"]) for view in (before, between, after)]
    assert [2, 0, 1] == [view.in_flight for view in (before, between, after)]


def test_the_last_word_of_a_process_counts_more_than_what_it_said_before(aggregate: Aggregate) -> None:
    """It is later, and nothing is in flight then."""
    aggregate.hear(a_snapshot(a_tally(_did(5, 3)), held=2))
    aggregate.end({"received": 6, "stored": 6})

    assert ({"received": 6, "stored": 6}, 0, "ended") == (
        aggregate.view().counts,
        aggregate.view().in_flight,
        aggregate.view().state,
    )


def test_a_process_that_crashed_before_it_said_anything_has_counted_nothing(aggregate: Aggregate) -> None:
    """It started, and that was all."""
    aggregate.end(None)
    aggregate.crash()

    assert ({}, 1, "restarting") == (aggregate.view().counts, aggregate.view().crashes, aggregate.view().state)


def test_the_last_failures_of_all_lives_are_kept(aggregate: Aggregate) -> None:
    """So many, the newest last: what a worker died of may be among them."""
    aggregate.hear(a_snapshot(a_tally(lambda events: [events.failed(FAILURE) for _ in range(15)])))
    aggregate.end(None)
    aggregate.hear(a_snapshot(a_tally(lambda events: [events.set_aside(FAILURE, str(n)) for n in range(15)])))
    failures = aggregate.view().failures

    assert FAILURES_KEPT == len(failures)
    assert [None] * 5 + [str(number) for number in range(15)] == [failure["dead_letter"] for failure in failures]


def test_an_aggregate_says_since_when(aggregate: Aggregate, clock: FakeClock) -> None:
    """Since when it is as it is, and since when nothing was heard."""
    clock.advance(5)
    aggregate.becomes("starting")
    clock.advance(2)
    starting = aggregate.view()
    aggregate.becomes("running")
    clock.advance(3)
    aggregate.hear(a_snapshot())
    clock.advance(1)
    aggregate.becomes("running")
    running = aggregate.view()

    assert (3, "starting", 7, 2) == (starting.number, starting.state, starting.state_s, starting.heard_s)
    assert ("running", 4, 1) == (running.state, running.state_s, running.heard_s)
