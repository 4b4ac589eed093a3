"""Numbers of the flow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.aggregates import Aggregate
from pipeline.options import Settings
from pipeline.web.figures import Figures, figures_of
from pipeline.web.history import Lately
from tests.builders import QUEUE_URL, an_object_ref
from tests.views import a_snapshot, a_tally, a_view
from transforms.failures import TooLargeError
from transforms.histograms import Histogram
from transforms.metric_table import BY_SOURCE
from transforms.records import Door, Failure
from transforms.settings import FetchSettings, ProcessSettings, ReceiveSettings

if TYPE_CHECKING:
    from transforms.events import EventLog

SETTINGS = Settings(
    ReceiveSettings(QUEUE_URL), fetch=FetchSettings(concurrency=4), process=ProcessSettings(concurrency=2)
)


def _works(events: EventLog) -> None:
    ref = an_object_ref()
    events.received(4)
    events.fetched(ref, 10, 0.1)
    events.fetched(ref, 10, 0.1)
    events.processed(ref, 0.1, 100)
    events.stored(ref, "name", 0.1)
    events.set_aside(Failure.of(ref, TooLargeError("large")), "letter")
    events.settled(Door.STORED, "")
    events.settled(Door.SET_ASIDE, "too_large")
    events.settled(Door.IGNORED, "filtered")


def _measured(**values: list[float]) -> Lately:
    observed = {}
    for name, taken in values.items():
        histogram = Histogram(BY_SOURCE[name].bounds)
        for value in taken:
            histogram.observe(value)
        observed[name] = histogram.observed()
    return Lately(rates={}, observed=observed, over_s=10)


def _figures(*lately: Lately) -> Figures:
    return figures_of([(a_view(), one) for one in lately], SETTINGS)


def test_every_step_has_its_count_and_pipelines_add_up() -> None:
    """What is written is a result or a dead letter."""
    view = a_view(a_snapshot(a_tally(_works)))

    assert {
        "received": 8,
        "fetched": 4,
        "processed": 2,
        "written": 4,
        "settled": 6,
        "stored": 2,
        "ignored": 2,
        "set_aside": 2,
        "returned": 0,
        "fetched_bytes": 40,
        "inflated_bytes": 200,
    } == figures_of([(view, Lately()), (view, Lately())], SETTINGS)["counts"]


def test_doors_say_why() -> None:
    """By kind, without those that did not happen."""
    kinds = figures_of([(a_view(a_snapshot(a_tally(_works))), Lately())], SETTINGS)["kinds"]

    assert {"ignored": {"filtered": 1}, "set_aside": {"too_large": 1}, "returned": {}} == kinds


def test_rates_add_up_and_are_unknown_until_one_is_known() -> None:
    """One pipeline may be younger."""
    one, other = Lately(rates={"stored": 1.25, "stored_records": 1.5}), Lately(rates={"stored": 2.0, "ignored": 1.0})

    rates = _figures(one, other, Lately())["rates"]

    assert rates is not None
    assert (3.25, 4.25, 1.5, 0) == (rates["stored"], rates["settled"], rates["written"], rates["returned"])
    assert None is _figures(Lately())["rates"]


def test_a_duration_has_its_mean_and_a_bound_for_most() -> None:
    """The mean is exact; the bound is one of the histogram."""
    figures = _figures(_measured(fetch=[0.02] * 18), _measured(fetch=[0.02, 4.0]))

    assert {"fetch": {"mean_s": 0.219, "most_s": 0.025}} == {
        name: {**told, "mean_s": round(told["mean_s"], 6)} for name, told in figures["durations"].items()
    }
    assert 5 == _figures(_measured(fetch=[0.02] * 9 + [4.0]))["durations"]["fetch"]["most_s"]


def test_what_takes_longer_than_the_last_bound_has_none() -> None:
    """Nobody knows how much longer."""
    assert {"mean_s": 9000.0, "most_s": None} == _figures(_measured(fetch=[9000.0]))["durations"]["fetch"]


def test_what_did_not_happen_lately_has_no_duration() -> None:
    """Rather than 0."""
    assert {} == _figures(_measured(fetch=[]))["durations"]


def test_busy_is_the_share_of_the_time_of_all_threads() -> None:
    """Four fetch and two process, in each pipeline; a long call that ends now counts whole, and not over 100 %."""
    assert {"fetch": 0.25, "process": 0.5} == _figures(
        _measured(fetch=[10.0], process=[10.0]), _measured(fetch=[10.0], process=[10.0])
    )["busy"]
    assert {"process": 1.0} == _figures(_measured(process=[60.0]))["busy"]
    assert {} == _figures(replace(_measured(process=[1.0]), over_s=0.0))["busy"]


def test_what_is_in_flight_adds_up_by_stage() -> None:
    """A pipeline that starts has said nothing."""
    snapshot = a_snapshot(held=3, held_bytes=30)
    snapshot["in_flight"]["stages"] = {"buffered": 2, "leaving": 1}
    views = [a_view(snapshot), a_view(snapshot), Aggregate(3).view()]

    assert {"messages": 6, "bytes": 60, "stages": {"buffered": 4, "leaving": 2}} == figures_of(
        [(view, Lately()) for view in views], SETTINGS
    )["in_flight"]


def test_the_last_minutes_of_all_end_at_the_same_moment() -> None:
    """One that was started later has no beginning."""
    figures = _figures(Lately(finished=[1, 2, 3], failed=[0, 0, 1]), Lately(finished=[5], failed=[0]))

    assert ([1, 2, 8], [0, 0, 1]) == (figures["finished"], figures["failed"])
    assert [] == figures_of([], SETTINGS)["finished"]
