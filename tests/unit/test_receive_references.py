"""The source: by hand, call by call as a runner does it, and in a pipeline."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pytest
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.metrics import MetricsFilter
from apache_beam.runners.common import DoFnSignature
from apache_beam.runners.sdf_utils import RestrictionTrackerView, ThreadsafeRestrictionTracker
from apache_beam.utils.timestamp import Timestamp

from tests.builders import QUEUE_URL, a_delivery, an_object_ref
from tests.steps import a_pipeline
from transforms import receive_references
from transforms.failures import FinishedKind, UnreadableNotificationError
from transforms.process_wide import ProcessWide
from transforms.receive_references import (
    PULSE_S,
    SOURCES,
    ReceiveReferences,
    _DrainFn,
    _ReceiveFn,
    _ReceivingProvider,
    _ReceivingTracker,
)
from transforms.records import Failure, Finished, Pulse
from transforms.settings import ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REF = an_object_ref()
FINISHED = Finished(a_delivery(message_id="message-2"), 0, FinishedKind.TEST_EVENT)
FAILURE = Failure.of(a_delivery(message_id="message-3"), UnreadableNotificationError("not JSON"))

both_twins = pytest.mark.parametrize("bounded", [False, True], ids=["unbounded", "drain"])


@dataclass
class Take:
    """What one `take` finds."""

    outcomes: list[Any] = field(default_factory=list)
    busy: bool = True
    oldest: datetime | None = None
    """When the oldest open delivery was received, after it."""
    after_s: float = 0.25
    """How long it took."""


class _Clock:
    """The time of day, and a monotonic one; both pass when the consumer waits."""

    def __init__(self) -> None:
        self.passed_s = 0.0

    def monotonic(self) -> float:
        return 1000 + self.passed_s

    def now(self) -> Timestamp:
        return Timestamp.from_utc_datetime(NOW) + self.passed_s


class _ScriptedConsumer:
    """Finds one `Take` after the other, then has finished."""

    def __init__(self, takes: list[Take], clock: _Clock) -> None:
        self._takes = list(takes)
        self._latest = Take(busy=False)
        self._clock = clock
        self.book = SimpleNamespace(oldest_received_at=lambda: self._latest.oldest)
        self.starts = 0
        self.timeouts_s: list[float] = []
        self.has_given_up = False

    def start(self) -> None:
        self.starts += 1

    def take(self, timeout_s: float) -> list[Any]:
        self.timeouts_s.append(timeout_s)
        self._latest = self._takes.pop(0)
        self._clock.passed_s += self._latest.after_s
        return self._latest.outcomes

    @property
    def busy(self) -> bool:
        return self._latest.busy

    def finished(self) -> bool:
        return not self._takes


class _Source:
    """One twin, driven by hand as a runner would."""

    def __init__(self, takes: list[Take], clock: _Clock, *, bounded: bool, budget_s: float | None) -> None:
        self.consumer = _ScriptedConsumer(takes, clock)
        self.watermark = ManualWatermarkEstimator(None)
        self._provider = _ReceivingProvider(bounded=bounded)
        self._clock = clock
        twin = _DrainFn if bounded else _ReceiveFn
        self._fn = twin(ReceiveSettings(QUEUE_URL, budget_s=budget_s), SimpleNamespace(get=lambda: self.consumer))
        self._fn.setup()
        self.restriction = self._provider.initial_restriction(0)
        self.tracker = self._new_tracker()

    def _new_tracker(self) -> ThreadsafeRestrictionTracker:
        return ThreadsafeRestrictionTracker(self._provider.create_tracker(self.restriction))

    def call(self) -> Iterator[tuple[Any, float]]:
        """Begin one call of `process`; say what it emits and the seconds at which, by its timestamp."""
        self.tracker = self._new_tracker()
        emitted = self._fn.process(0, watermark=self.watermark, tracker=RestrictionTrackerView(self.tracker))
        for each in emitted:
            yield each.value, self.seconds(each.timestamp)

    def run(self) -> list[list[Any]]:
        """Call and call again on what was deferred; say what each call emitted."""
        calls = []
        while True:
            calls.append([value for value, _ in self.call()])
            assert self.tracker.check_done()
            deferred = self.tracker.deferred_status()
            if deferred is None:
                return calls
            self.restriction, _ = deferred

    @staticmethod
    def seconds(timestamp: Timestamp) -> float:
        """Seconds since the beginning of the test."""
        return float(timestamp - Timestamp.from_utc_datetime(NOW))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    """Stand in for both clocks of the source."""
    clock = _Clock()
    monkeypatch.setattr(receive_references, "time", clock)
    monkeypatch.setattr(receive_references.Timestamp, "now", staticmethod(clock.now))
    return clock


def _source(takes: list[Take], clock: _Clock, *, bounded: bool = False, budget_s: float | None = None) -> _Source:
    return _Source(takes, clock, bounded=bounded, budget_s=budget_s)


# ── what it emits


@both_twins
def test_what_was_received_is_emitted_in_order_at_the_time_of_its_emission(clock: _Clock, *, bounded: bool) -> None:
    """References, and what a message says that is no object to fetch."""
    takes = [Take([REF, FINISHED], busy=False), Take([FAILURE], busy=False)]
    source = _source(takes, clock, bounded=bounded)

    assert [(REF, 0.25), (FINISHED, 0.25), (FAILURE, 0.5)] == list(source.call())


@both_twins
def test_while_something_is_open_a_pulse_follows_all_that_was_received_at_once(clock: _Clock, *, bounded: bool) -> None:
    """An idle job costs nothing; a busy one hands on what is complete when everything that came is under way."""
    takes = [Take(busy=False), Take([REF, REF]), Take(), Take([FINISHED]), Take([FAILURE], busy=False)]

    calls = _source(takes, clock, bounded=bounded).run()

    assert [[REF, REF, Pulse(), Pulse(), FINISHED, Pulse(), FAILURE]] == calls


def test_the_source_starts_the_consumer_and_waits_a_pulse_at_a_time(clock: _Clock) -> None:
    """What is complete in a pool is handed on within that time."""
    source = _source([Take(), Take(), Take(busy=False)], clock)

    source.run()

    assert 1 == source.consumer.starts
    assert [PULSE_S] * 3 == source.consumer.timeouts_s


# ── how it ends and resumes


@both_twins
def test_a_source_that_has_finished_claims_its_end(clock: _Clock, *, bounded: bool) -> None:
    """A plain return would fail the job after all the work was done."""
    source = _source([Take([REF]), Take(busy=False)], clock, bounded=bounded)

    assert [[REF, Pulse()]] == source.run()
    assert "ended" == source.tracker.current_restriction()
    assert source.tracker.deferred_status() is None


def test_a_call_defers_after_its_budget_and_resumes_on_the_residual(clock: _Clock) -> None:
    """Flink's checkpoints wait for the end of a call."""
    takes = [Take([an_object_ref(key=f"{number}")], busy=False, after_s=0.5) for number in range(5)]

    calls = _source(takes, clock, budget_s=1).run()

    assert [["0", "1"], ["2", "3"], ["4"]] == [[ref.key for ref in call] for call in calls]


def test_a_budget_is_over_even_when_nothing_comes(clock: _Clock) -> None:
    """An idle source must not hold up a checkpoint."""
    takes = [Take(busy=False, after_s=0.25) for _ in range(8)]

    assert [[], []] == _source(takes, clock, budget_s=1).run()


def test_without_a_budget_a_call_lasts_as_long_as_the_source(clock: _Clock) -> None:
    """On FnApiRunner a deferral would be one more bundle, for nothing."""
    takes = [Take([REF], busy=False, after_s=86_400) for _ in range(3)]

    assert [[REF, REF, REF]] == _source(takes, clock).run()


def test_the_residual_is_not_falsy(clock: _Clock) -> None:
    """Beam takes a falsy residual for none, and the source would be lost without a word."""
    source = _source([Take(), Take()], clock, budget_s=0)

    list(source.call())

    assert ("receiving", 0) == source.tracker.deferred_status()


@both_twins
def test_a_running_call_is_never_split(clock: _Clock, *, bounded: bool) -> None:
    """The other half would be one more receiver, idle beside this one."""
    source = _source([Take([REF]), Take([FINISHED], busy=False)], clock, bounded=bounded)
    call = source.call()

    splits = [source.tracker.try_split(fraction) for _ in call for fraction in (0.01, 0.5, 1.0)]

    assert [None] * 9 == splits
    assert source.tracker.try_split(0.5) is None
    assert "ended" == source.tracker.current_restriction()


def test_a_split_at_fraction_0_ends_the_call_and_leaves_the_rest(clock: _Clock) -> None:
    """That is how a runner asks for a checkpoint."""
    source = _source([Take([REF]), Take([FINISHED], busy=False), Take(busy=False)], clock)
    call = source.call()
    assert (REF, 0.25) == next(call)

    assert ("ended", "receiving") == source.tracker.try_split(0)
    assert source.tracker.try_split(0) is None
    assert [Pulse()] == [value for value, _ in call]
    assert source.tracker.check_done()
    assert [[FINISHED]] == source.run()


def test_a_call_that_forgot_to_end_or_defer_is_refused() -> None:
    """Beam would take its restriction for done."""
    tracker = _ReceivingTracker("receiving", bounded=False)
    assert tracker.try_claim("receiving")

    with pytest.raises(ValueError, match="without having ended or deferred"):
        tracker.check_done()


def test_a_restriction_that_has_ended_has_nothing_to_split() -> None:
    """Nor anything that remains."""
    tracker = _ReceivingTracker("ended", bounded=False)

    assert tracker.try_split(0) is None
    assert (1, 0) == (tracker.current_progress().completed_work, tracker.current_progress().remaining_work)
    assert 0 == _ReceivingProvider(bounded=False).restriction_size(0, "ended")


def test_a_runner_that_drains_takes_nothing_more() -> None:
    """The residual of its last call is dropped; messages stay in the queue."""
    assert _ReceivingProvider(bounded=False).truncate(0, "receiving") is None


@both_twins
def test_a_twin_is_what_it_says(clock: _Clock, *, bounded: bool) -> None:
    """Runners decide between streaming and batch by it."""
    source = _source([Take()], clock, bounded=bounded)

    assert bounded is source.tracker.is_bounded()
    assert bounded is not DoFnSignature(source._fn).is_unbounded_per_element()


# ── the watermark


def _watermarks(source: _Source) -> list[float | None]:
    """Seconds of the watermark at each thing emitted."""

    def current() -> float | None:
        watermark = source.watermark.current_watermark()
        return None if watermark is None else source.seconds(watermark)

    marks = [current() for _ in source.call()]
    return [*marks, current()]


@both_twins
def test_the_watermark_is_held_at_the_oldest_open_delivery(clock: _Clock, *, bounded: bool) -> None:
    """And goes on to the present when nothing is open."""
    at_1, at_2 = NOW + timedelta(seconds=1), NOW + timedelta(seconds=2)
    takes = [
        Take([REF], after_s=2, oldest=at_1),
        Take(after_s=1, oldest=at_1),
        Take(after_s=1, oldest=at_2),
        Take([FINISHED], after_s=1, oldest=None),
        Take(after_s=1, busy=False),
    ]

    assert [None, None, 1, 1, 2, 2, 6] == _watermarks(_source(takes, clock, bounded=bounded))


def test_the_watermark_never_goes_back(clock: _Clock) -> None:
    """Beam refuses that; a message received while it moved is late by as much."""
    takes = [
        Take(after_s=5, busy=True),
        Take([REF], after_s=1, oldest=NOW + timedelta(seconds=4)),
        Take(after_s=1, oldest=NOW + timedelta(seconds=4)),
    ]

    assert [None, 5, 5, 5, 5] == _watermarks(_source(takes, clock))


def test_the_watermark_is_not_ahead_of_the_clock(clock: _Clock) -> None:
    """Whatever a delivery says of itself; nothing that is emitted later may be late."""
    source = _source([Take([REF], after_s=1, oldest=NOW + timedelta(days=1)), Take(after_s=1)], clock)

    assert [None, None, 1, 2] == _watermarks(source)


def test_the_watermark_is_set_in_every_call(clock: _Clock) -> None:
    """A runner that hears of none holds it at the beginning of time."""
    source = _source([Take(busy=False, after_s=1), Take(busy=False, after_s=1)], clock, budget_s=0)

    assert [1] == _watermarks(source)
    assert [2] == _watermarks(source)


# ── in a pipeline

_consumers: dict[str, _ScriptedConsumer] = {}
_received: dict[str, list[Any]] = {}


def _collect(outcome: object, name: str) -> object:
    _received[name].append(outcome)
    return outcome


@pytest.mark.parametrize(("has_given_up", "end"), [(False, "ended"), (True, "gave_up")])
def test_how_a_receiver_ended_is_counted_for_whoever_is_elsewhere(end: str, *, has_given_up: bool) -> None:
    """In Beam's metrics: the submitting process does not see the worker's own counters."""
    name = uuid.uuid4().hex
    _consumers[name] = _ScriptedConsumer([Take(busy=False)], _Clock())
    _consumers[name].has_given_up = has_given_up
    pipeline = a_pipeline()
    _ = pipeline | ReceiveReferences(
        ReceiveSettings(QUEUE_URL), ProcessWide(_consumers.__getitem__, name), bounded=True
    )

    counters = pipeline.run().metrics().query(MetricsFilter().with_namespace(SOURCES))["counters"]

    assert {end: 1} == {counter.key.metric.name: counter.result for counter in counters}


@both_twins
@pytest.mark.parametrize("budget_s", [None, 0])
def test_in_a_pipeline_everything_comes_out_and_the_job_ends(budget_s: float | None, *, bounded: bool) -> None:
    """Also when every call defers: the runner resumes on the residual, and nothing is lost."""
    name = uuid.uuid4().hex
    takes = [Take([REF]), Take(), Take([FINISHED, FAILURE]), Take(), Take(busy=False)]
    _consumers[name], _received[name] = _ScriptedConsumer(takes, _Clock()), []
    consumer = ProcessWide(_consumers.__getitem__, name)

    with a_pipeline() as pipeline:
        _ = (
            pipeline
            | ReceiveReferences(ReceiveSettings(QUEUE_URL, budget_s=budget_s), consumer, bounded=bounded)
            | beam.Map(_collect, name)
        )

    assert [REF, Pulse(), Pulse(), FINISHED, FAILURE, Pulse(), Pulse()] == _received[name]
