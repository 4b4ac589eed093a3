"""What a process is doing now, in plain JSON: what is counted, held, waited for, and whether it moves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypedDict

from transforms import process_wide
from transforms.consumers import Consumer
from transforms.events import EVENTS
from transforms.outages import OUTPUT, SOURCE
from transforms.processing import Processor
from transforms.stopping import STOP

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.backlog import QueueState
    from transforms.event_tallies import Tally
    from transforms.leases import InFlight

AREAS = {SOURCE: "source", OUTPUT: "output"}
"""Classes of work of the outage guard, as metrics name them."""


class Vitals(TypedDict):
    """Whether the process moves, and whether SQS answers. Ages in seconds; None: it has not happened."""

    flow_idle_s: float | None
    """Since Beam's thread last asked for work; None also where there is none left."""
    in_function_s: float | None
    """How long Beam's thread has been in the user's function."""
    answered_s: float | None
    """Since SQS last answered a receive."""
    trouble: str | None
    """What SQS answers instead, or that it does not."""
    trouble_is_permanent: bool
    stopping: bool


class Snapshot(TypedDict):
    """Everything, at one moment."""

    at: float
    """Seconds since 1970."""
    tally: Tally
    in_flight: InFlight
    outage: dict[str, float]
    """For how long receiving has been pausing because of which area, `source` or `output`."""
    queue: QueueState | None
    """None where nobody asked yet, or the queue does not say."""
    vitals: Vitals


def take_snapshot(queue_state: Callable[[], QueueState | None]) -> Snapshot:
    """Answer what this process is doing; never waits for anything but two short locks."""
    consumer = process_wide.made(Consumer)
    tally, in_flight = consumer.book.account() if consumer else (EVENTS.tally(), nothing_in_flight())
    paused_s = round(consumer.guard.paused_s, 3) if consumer else 0.0
    return {
        "at": time.time(),
        "tally": tally,
        "in_flight": in_flight,
        "outage": {AREAS[area]: paused_s for area in consumer.guard.areas()} if consumer else {},
        "queue": queue_state(),
        "vitals": _vitals(consumer),
    }


def nothing_in_flight() -> InFlight:
    """Answer what a process holds that holds nothing."""
    return {"messages": 0, "bytes": 0, "stages": {}, "oldest": []}


def _vitals(consumer: Consumer | None) -> Vitals:
    """Ask what tells whether it moves; a process that begins or ends has no consumer."""
    vitals: Vitals = {
        "flow_idle_s": None,
        "in_function_s": None,
        "answered_s": None,
        "trouble": None,
        "trouble_is_permanent": False,
        "stopping": STOP.is_set(),
    }
    if consumer is None:
        return vitals
    processor, trouble, now = process_wide.made(Processor), consumer.trouble, consumer.now()
    if not consumer.finished():  # nothing more is asked for then
        vitals["flow_idle_s"] = round(now - consumer.taken_at, 3)
    vitals["in_function_s"] = processor.busy_s(consumer.taker) if processor else None
    if consumer.answered_at is not None:
        vitals["answered_s"] = round(now - consumer.answered_at, 3)
    if trouble is not None:
        vitals["trouble"], vitals["trouble_is_permanent"] = trouble
    return vitals
