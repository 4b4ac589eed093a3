"""What pipelines say of themselves, with defaults for everything: a test states only what matters to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.aggregates import Aggregate, View
from tests.fakes import FakeClock
from transforms.events import EventLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.aggregates import State
    from pipeline.backlog import QueueState
    from pipeline.snapshots import Snapshot, Vitals
    from transforms.event_tallies import Tally


def a_tally(do: Callable[[EventLog], object] = lambda _: None) -> Tally:
    """Count what happens to a log of events."""
    events = EventLog()
    do(events)
    return events.tally()


def a_snapshot(
    tally: Tally | None = None,
    *,
    held: int = 0,
    held_bytes: int = 0,
    outage: dict[str, float] | None = None,
    queue: QueueState | None = None,
    **vitals: Any,  # noqa: ANN401 - the fields of `Vitals`
) -> Snapshot:
    """Make a snapshot of a process that moves, and to which SQS has just answered."""
    usual: Vitals = {
        "flow_idle_s": 0.01,
        "in_function_s": None,
        "answered_s": 0.5,
        "trouble": None,
        "trouble_is_permanent": False,
        "stopping": False,
    }
    return {
        "at": 1_700_000_000.0,
        "tally": tally or a_tally(),
        "in_flight": {"messages": held, "bytes": held_bytes, "stages": {}, "oldest": []},
        "outage": outage or {},
        "queue": queue,
        "vitals": {**usual, **vitals},  # type: ignore[typeddict-item]
    }


def a_view(
    snapshot: Snapshot | None = None, *, number: int = 1, state: State = "running", ago_s: float = 0.0, crashes: int = 0
) -> View:
    """Look at a pipeline that said so `ago_s` seconds ago, and has been in its state for as long."""
    clock = FakeClock()
    aggregate = Aggregate(number, clock=clock)
    for _ in range(crashes):
        aggregate.crash()
    aggregate.becomes("ended")
    aggregate.becomes(state)
    if snapshot:
        aggregate.hear(snapshot)
    clock.advance(ago_s)
    return aggregate.view()
