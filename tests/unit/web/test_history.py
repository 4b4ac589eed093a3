"""What was lately: rates, the last minute, and the last five."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aggregates import Aggregate
from pipeline.web.history import SAMPLE_EVERY_S, SAMPLES_TOLD, History, Lately
from tests.fakes import FakeClock
from tests.views import a_snapshot
from transforms.events import EventLog
from transforms.records import Door

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.aggregates import View


class _Job:
    """One pipeline that is sampled; time passes only here."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.aggregate = Aggregate(1, clock=self.clock)
        self.aggregate.becomes("running")
        self.events = EventLog(clock=self.clock)
        self.history = History(clock=self.clock)
        self.looks = 0

    def look(self) -> Sequence[View]:
        self.looks += 1
        return [self.aggregate.view()]

    def does(self, *, stored: int = 0, returned: int = 0, hears_s_late: float = 0.0) -> Lately:
        """Let it settle messages, and take the next sample."""
        for door, amount in ((Door.STORED, stored), (Door.RETURNED, returned)):
            for _ in range(amount):
                self.events.received()
                self.events.settled(door, "unavailable", 0.5)
        self.clock.advance(SAMPLE_EVERY_S - hears_s_late)
        self.aggregate.hear(a_snapshot(self.events.tally()))
        self.clock.advance(hears_s_late)
        self.history.sample(self.look)
        return self.history.lately(1)


def test_nothing_is_known_before_the_second_sample() -> None:
    """One number has no rate."""
    job = _Job()

    assert Lately() == job.history.lately(1) == job.does(stored=4)
    assert job.does().rates is not None


def test_a_rate_is_that_of_the_last_ten_seconds() -> None:
    """What was before does not count."""
    job = _Job()
    job.does(stored=1000)
    rates = [job.does(stored=20).rates for _ in range(5)][-1]
    later = [job.does(stored=2).rates for _ in range(5)][-1]

    assert rates is not None
    assert later is not None
    assert (10.0, 10.0) == (rates["stored"], rates["received"])
    assert 1.0 == later["stored"]


def test_a_steady_job_looks_steady_whenever_it_is_heard() -> None:
    """Its snapshot is up to a second old when a sample is taken."""
    job = _Job()
    job.does()
    job.does(stored=20)
    lately = job.does(stored=15, hears_s_late=0.5)

    assert [10.0, 10.0] == lately.finished


def test_a_process_that_says_nothing_has_done_nothing_that_is_known() -> None:
    """Rather than a rate out of nothing."""
    job = _Job()
    job.does(stored=4)
    job.clock.advance(SAMPLE_EVERY_S)
    job.history.sample(job.look)
    lately = job.history.lately(1)

    assert ({}, [0.0]) == (lately.rates, lately.finished)


def test_what_fails_is_told_beside_what_is_finished() -> None:
    """Messages a second, one value for each sample."""
    job = _Job()
    job.does()
    job.does(stored=2, returned=4)
    lately = job.does(stored=6)

    assert ([1.0, 3.0], [2.0, 0.0]) == (lately.finished, lately.failed)


def test_durations_are_those_of_the_last_minute() -> None:
    """A histogram counts since the start of the job."""
    job = _Job()
    job.does(stored=1000)
    lately = [job.does(stored=1) for _ in range(40)][-1]

    assert (30, 60.0) == (sum(lately.observed["acknowledge"]["counts"]), lately.over_s)
    assert 15.0 == lately.observed["acknowledge"]["sum"]


def test_what_was_not_measured_at_first_counts_whole() -> None:
    """A process that begins has said nothing of histograms yet."""
    job = _Job()
    job.history.sample(job.look)
    lately = job.does(stored=3)

    assert 3 == sum(lately.observed["acknowledge"]["counts"])


def test_five_minutes_are_kept() -> None:
    """Memory is bounded."""
    job = _Job()
    lately = [job.does(stored=2) for _ in range(SAMPLES_TOLD + 10)][-1]

    assert 300.0 == SAMPLES_TOLD * SAMPLE_EVERY_S
    assert [1.0] * SAMPLES_TOLD == lately.finished


def test_a_sample_is_taken_when_it_is_time_and_not_for_each_call() -> None:
    """The server calls often."""
    job = _Job()
    for _ in range(9):
        job.history.sample(job.look)
        job.clock.advance(0.5)

    assert 3 == job.looks


def test_rates_go_on_when_a_process_crashes() -> None:
    """What is known of it stays, and what it held counts as returned."""
    job = _Job()
    job.does(stored=4)
    job.aggregate.end(None)
    job.clock.advance(SAMPLE_EVERY_S)
    job.history.sample(job.look)

    assert [0.0] == job.history.lately(1).finished
