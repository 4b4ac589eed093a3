"""Runs one step in a real pipeline: feeds it, pulses it until everything came out, and says what came out, in order."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.test_pipeline import TestPipeline

from pipeline.options import Settings
from tests.builders import QUEUE_URL
from transforms.records import Pulse
from transforms.settings import ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PULSE_S = 0.005
TIMEOUT_S = 20
"""A step that loses an element fails its test after so long."""

_feeds: dict[str, _Feed] = {}


def a_pipeline() -> beam.Pipeline:
    """Name the runner: the default one tries a download first."""
    return TestPipeline(runner=FnApiRunner())


def some_settings(*, bounded: bool) -> Settings:
    """The defaults, with several receivers."""
    return Settings(receive=ReceiveSettings(QUEUE_URL, receivers=3), is_bounded=bounded)


def outputs_of(
    step: beam.PTransform, elements: list[Any], *, outputs: int, on_output: Callable[[int], object] = lambda _: None
) -> list[Any]:
    """Run `step` over `elements`, then pulses, until `outputs` elements came out that are no pulses.

    `on_output` is told their number after each. The answer has them in order; its pulses, if the step passed any
    through, are cut off, and one at the end stands for them all.
    """
    name = uuid.uuid4().hex
    feed = _feeds[name] = _Feed(elements, outputs, on_output)
    with a_pipeline() as pipeline:
        _ = (
            pipeline
            | "Name" >> beam.Create([name], reshuffle=False)
            | "Feed" >> beam.ParDo(_FeedFn())
            | step
            | "Collect" >> beam.ParDo(_CollectFn(name))
        )
    return [*feed.collected, *([Pulse()] if feed.pulses else [])]


@dataclass
class _Feed:
    """What goes in and what came out; reached by name, since Beam copies what it is given."""

    elements: list[Any]
    outputs: int
    on_output: Callable[[int], object]
    collected: list[Any] = field(default_factory=list)
    pulses: int = 0
    complete: threading.Event = field(default_factory=threading.Event)

    def collect(self, element: object) -> None:
        """Note one output."""
        if isinstance(element, Pulse):
            self.pulses += 1
            return
        self.collected.append(element)
        self.on_output(len(self.collected))
        if len(self.collected) >= self.outputs:
            self.complete.set()


class _FeedFn(beam.DoFn):
    """The elements, then pulses for as long as something is missing, and then one more."""

    def process(self, name: str) -> Iterator[Any]:
        feed = _feeds[name]
        yield from feed.elements
        until = time.monotonic() + TIMEOUT_S
        while not feed.complete.wait(PULSE_S):
            assert time.monotonic() < until, f"{feed.outputs} outputs were expected, there are: {feed.collected}"
            yield Pulse()
        yield Pulse()


class _CollectFn(beam.DoFn):
    """The end of the river."""

    def __init__(self, name: str) -> None:
        self._name = name

    def process(self, element: Any) -> None:  # noqa: ANN401 - whatever the step hands on
        _feeds[self._name].collect(element)
