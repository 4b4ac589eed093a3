"""What the processes of a pipeline said, one life after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.accounts import Account
from tests.builders import a_delivery
from tests.fakes import FakeClock
from tests.views import a_snapshot, a_tally
from transforms.failures import FailureKind
from transforms.records import Door, Failure
from transforms.tallies import FAILURES_KEPT

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
def account(clock: FakeClock) -> Account:
    """Nothing was said yet."""
    return Account(3, clock=clock)


def test_the_counters_of_a_process_that_crashed_stay(account: Account) -> None:
    """What it held comes back by itself, and counts as returned: the balance holds, and no counter goes down."""
    account.hear(a_snapshot(a_tally(_did(5, 3)), held=2))
    before = account.view()
    account.end(None)
    account.crash()
    between = account.view()
    account.becomes("starting")
    account.hear(a_snapshot(a_tally(_did(2, 1)), held=1))
    after = account.view()

    assert {"received": 5, "stored": 3} == before.counts
    assert {"received": 5, "stored": 3, "returned": 2, "returned/crashed": 2} == between.counts
    assert {"received": 7, "stored": 4, "returned": 2, "returned/crashed": 2} == after.counts
    assert [3, 3, 4] == [sum(view.histograms["acknowledge"]["counts"]) for view in (before, between, after)]
    assert [2, 0, 1] == [view.in_flight for view in (before, between, after)]


def test_the_last_word_of_a_process_counts_more_than_what_it_said_before(account: Account) -> None:
    """It is later, and nothing is in flight then."""
    account.hear(a_snapshot(a_tally(_did(5, 3)), held=2))
    account.end({"received": 6, "stored": 6})

    assert ({"received": 6, "stored": 6}, 0, "ended") == (
        account.view().counts,
        account.view().in_flight,
        account.view().state,
    )


def test_a_process_that_crashed_before_it_said_anything_has_counted_nothing(account: Account) -> None:
    """It started, and that was all."""
    account.end(None)
    account.crash()

    assert ({}, 1, "restarting") == (account.view().counts, account.view().crashes, account.view().state)


def test_the_last_failures_of_all_lives_are_kept(account: Account) -> None:
    """So many, the newest last: what a worker died of may be among them."""
    account.hear(a_snapshot(a_tally(lambda events: [events.failed(FAILURE) for _ in range(15)])))
    account.end(None)
    account.hear(a_snapshot(a_tally(lambda events: [events.set_aside(FAILURE, str(n)) for n in range(15)])))
    failures = account.view().failures

    assert FAILURES_KEPT == len(failures)
    assert [None] * 5 + [str(number) for number in range(15)] == [failure["dead_letter"] for failure in failures]


def test_an_account_says_since_when(account: Account, clock: FakeClock) -> None:
    """Since when it is as it is, and since when nothing was heard."""
    clock.advance(5)
    account.becomes("starting")
    clock.advance(2)
    starting = account.view()
    account.becomes("running")
    clock.advance(3)
    account.hear(a_snapshot())
    clock.advance(1)
    account.becomes("running")
    running = account.view()

    assert (3, "starting", 7, 2) == (starting.number, starting.state, starting.state_s, starting.heard_s)
    assert ("running", 4, 1) == (running.state, running.state_s, running.heard_s)
