"""The first step: long-poll SQS and hand out what its messages speak of."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Literal

import apache_beam as beam
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.metrics import Metrics
from apache_beam.transforms.core import RestrictionProvider
from apache_beam.transforms.window import TimestampedValue
from apache_beam.utils.timestamp import Timestamp

from transforms.consumers import GAVE_UP
from transforms.records import Failure, Finished, ObjectRef, Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.consumers import Consumer
    from transforms.process_wide import ProcessWide
    from transforms.settings import ReceiveSettings

PULSE_S = 0.02
"""How long it waits for more to hand out, before the steps get the chance to hand on what is complete."""

SOURCES = "sources"
"""The namespace of Beam's counters that say how receivers ended, to whoever is not in their process."""

Received = ObjectRef | Finished | Failure | Pulse
Reception = Literal["receiving", "ended"]
"""A receiver's restriction. Both words are true: Beam drops a residual that is not."""


class ReceiveReferences(beam.PTransform):
    """Messages of an SQS queue become references to S3 objects.

    Input: the pipeline's root.
    Output: `ObjectRef`; `Finished` and `Failure` for what a message says that is no object to fetch; `Pulse`.
    Raises: nothing. SQS errors are waited out; what cannot be read is a `Failure`.
    Repeats: a message comes again until it is deleted, which only `WriteAndAcknowledge` does.
    Memory: at most `max_in_flight` messages of up to 256 KiB (SQS's limit; more since 2025: 1 MiB).
    """

    def __init__(self, settings: ReceiveSettings, consumer: ProcessWide[Consumer], *, bounded: bool) -> None:
        """`bounded` says that the source ends by itself (a drain); otherwise it ends when the job is stopped."""
        super().__init__()
        self._settings = settings
        self._consumer = consumer
        self._bounded = bounded

    def expand(self, root: beam.Pipeline) -> beam.PCollection[Received]:
        """One element a receiver, so that receivers spread over workers."""
        read = _DrainFn if self._bounded else _ReceiveFn
        return (
            root
            | "Receivers" >> beam.Create(range(self._settings.receivers), reshuffle=False)
            | "Receive" >> beam.ParDo(read(self._settings, self._consumer)).with_output_types(Received)
        )


class _ReceivingTracker(RestrictionTracker):
    """Whether one receiver goes on.

    A running call is never split: a split-off part would be one more receiver, idle beside this one. A split at
    fraction 0 is how a call ends that will be resumed.
    """

    def __init__(self, reception: Reception, *, bounded: bool) -> None:
        self._reception = reception
        self._bounded = bounded
        self._deferred = False

    def current_restriction(self) -> Reception:
        return self._reception

    def try_claim(self, position: Reception) -> bool:
        if self._deferred:
            return False
        self._reception = position
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[Reception, Reception] | None:
        if fraction_of_remainder != 0 or self._reception == "ended":
            return None
        self._deferred = True
        self._reception = "ended"
        return "ended", "receiving"

    def check_done(self) -> bool:
        if self._reception != "ended":
            raise ValueError("the receiver returned without having ended or deferred")
        return True

    def current_progress(self) -> RestrictionProgress:
        ended = float(self._reception == "ended")
        return RestrictionProgress(completed=ended, remaining=1 - ended)

    def is_bounded(self) -> bool:
        return self._bounded


class _ReceivingProvider(RestrictionProvider):
    """Every receiver starts with more to receive."""

    def __init__(self, *, bounded: bool) -> None:
        self._bounded = bounded

    def initial_restriction(self, element: int) -> Reception:  # noqa: ARG002 - Beam's signature
        return "receiving"

    def create_tracker(self, restriction: Reception) -> _ReceivingTracker:
        return _ReceivingTracker(restriction, bounded=self._bounded)

    def restriction_size(self, element: int, restriction: Reception) -> float:  # noqa: ARG002
        return float(restriction == "receiving")

    def truncate(self, element: int, restriction: Reception) -> None:
        """A drain of the runner takes nothing more."""


class _ReceivingFn(beam.DoFn):
    """What both twins do: hand out, pulse, and end when nothing is open any more."""

    def __init__(self, settings: ReceiveSettings, handle: ProcessWide[Consumer]) -> None:
        self._budget_s = settings.budget_s
        self._handle = handle

    def setup(self) -> None:
        self._consumer = self._handle.get()
        self._consumer.start()

    def receive(self, tracker: Any, watermark: Any) -> Iterator[TimestampedValue]:  # noqa: ANN401 - Beam's views
        until = time.monotonic() + self._budget_s if self._budget_s is not None else None
        consumer = self._consumer
        while tracker.try_claim("receiving"):
            outcomes = consumer.take(PULSE_S)
            now = Timestamp.now()
            for outcome in outcomes:
                yield TimestampedValue(outcome, now)
            if consumer.busy:  # last: what was handed out is under way while the steps hand on
                yield TimestampedValue(Pulse(), now)
            _hold(watermark, consumer, now)
            if consumer.finished():
                tracker.try_claim("ended")
                Metrics.counter(SOURCES, GAVE_UP if consumer.has_given_up else "ended").inc()
                return
            if until is not None and time.monotonic() >= until:
                tracker.defer_remainder()
                return


class _ReceiveFn(_ReceivingFn):
    """The unbounded twin."""

    @beam.DoFn.unbounded_per_element()
    def process(
        self,
        receiver: int,  # noqa: ARG002 - only spreads receivers over workers
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider()),  # noqa: ANN401, B008
        tracker: Any = beam.DoFn.RestrictionParam(_ReceivingProvider(bounded=False)),  # noqa: ANN401, B008 - Beam reads defaults
    ) -> Iterator[TimestampedValue]:
        yield from self.receive(tracker, watermark)


class _DrainFn(_ReceivingFn):
    """The bounded twin: the same, and a runner may take it for a batch."""

    def process(
        self,
        receiver: int,  # noqa: ARG002
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider()),  # noqa: ANN401, B008
        tracker: Any = beam.DoFn.RestrictionParam(_ReceivingProvider(bounded=True)),  # noqa: ANN401, B008
    ) -> Iterator[TimestampedValue]:
        yield from self.receive(tracker, watermark)


def _hold(watermark: Any, consumer: Consumer, now: Timestamp) -> None:  # noqa: ANN401 - Beam's view
    """Hold the watermark at the oldest open delivery; never move it back, which Beam refuses."""
    oldest = consumer.book.oldest_received_at()
    held = now if oldest is None else min(now, Timestamp.from_utc_datetime(oldest))
    current = watermark.current_watermark()
    if current is None or held > current:
        watermark.set_watermark(held)
