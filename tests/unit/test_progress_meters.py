"""What each mode knows of how far it is."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pipeline.options import Settings
from pipeline.progress import Progress
from pipeline.progress_meters import Counted, Drained, Listed, meter_of
from tests.builders import QUEUE_URL
from tests.fakes import FakeClock, FakeQueue
from transforms.failures import FinishedKind
from transforms.process_wide import ProcessWide
from transforms.records import Door
from transforms.settings import BackfillSettings, ReceiveSettings

if TYPE_CHECKING:
    from pipeline.backlog import QueueState
    from transforms.queues import Queue

SETTLED = Counter({Door.STORED: 2, Door.IGNORED: 3, Door.SET_ASIDE: 1, Door.RETURNED: 5})
LISTED = {FinishedKind.ALREADY_FINISHED: 2, FinishedKind.FILTERED: 1, "outside_time": 4, "directory_markers": 1}


def _state(at: float, *, visible: int = 0, hidden: int = 0, delayed: int = 0) -> QueueState:
    return {"at": at, "visible": visible, "hidden": hidden, "delayed": delayed}


def test_a_backfill_goes_on_as_it_is_listed() -> None:
    """What goes back is not done."""
    counts = SETTLED + Counter({"listed": 12, "listed_bytes": 3000, **LISTED})

    assert Progress(6, 12, is_complete=False) == Listed().now(counts)
    assert Progress(6, 12, is_complete=True) == Listed().now(counts + Counter(listing_complete=1))
    assert Progress(11, 12, is_complete=False) == Listed(lambda _: 11).now(counts)


def test_a_backfill_sums_up_what_was_listed() -> None:
    """A listing that was cut short is told."""
    counts = Counter({"listed": 12, "listed_bytes": 3000, **LISTED, "listing_complete": 1})

    assert (
        "12 objects listed (3,000 bytes), 2 had a result, 1 filtered, 4 outside --since and --until, "
        "1 directory markers"
    ) == Listed().summary(counts)
    assert "0 objects listed (0 bytes) and not all of them" == Listed().summary(Counter())


def test_a_number_of_messages_is_known_from_the_start() -> None:
    """A replay has none: its files were not read yet."""
    assert Progress(6, 10, is_complete=True, what="messages") == Counted("job", 10).now(SETTLED)
    assert Progress(6, None, is_complete=False, what="messages") == Counted("replay").now(SETTLED)
    assert "" == Counted("job", 10).summary(SETTLED)


def test_a_drain_adds_what_the_queue_holds_to_what_was_done_when_it_was_asked() -> None:
    """SQS counts roughly, and messages go on coming, so nothing may be more than all."""
    states: list[QueueState | None] = [None]
    drained = Drained(lambda: states[-1])
    assert Progress(6, None, is_complete=False, what="messages") == drained.now(SETTLED)

    states.append(_state(1, visible=10, hidden=3, delayed=1))
    assert Progress(6, 20, is_complete=True, what="messages or so") == drained.now(SETTLED)
    assert Progress(9, 20, is_complete=True, what="messages or so") == drained.now(SETTLED + Counter({Door.STORED: 3}))
    assert Progress(26, 26, is_complete=True, what="messages or so") == drained.now(
        SETTLED + Counter({Door.STORED: 20})
    )

    states.append(_state(2, visible=1))
    assert Progress(26, 27, is_complete=True, what="messages or so") == drained.now(
        SETTLED + Counter({Door.STORED: 20})
    )


@pytest.mark.parametrize(
    ("receive", "bounded", "pipelines", "name"),
    [
        ({}, False, 1, None),
        ({"idle_s": 20}, True, 1, "drain"),
        ({"idle_s": 20}, True, 2, "drain"),
        ({"max_messages": 5, "idle_s": 20}, True, 1, "job"),
        ({"replay": "*.jsonl", "idle_s": 0}, True, 1, "replay"),
        ({"backfill": BackfillSettings((("logs", ""),)), "idle_s": 0}, True, 3, "backfill"),
    ],
)
def test_every_mode_has_its_meter(receive: dict[str, object], bounded: bool, pipelines: int, name: str | None) -> None:  # noqa: FBT001
    """A job without an end has none."""
    settings = Settings(ReceiveSettings(QUEUE_URL, **receive), is_bounded=bounded)  # type: ignore[arg-type]
    queue: ProcessWide[Queue] = ProcessWide(lambda: FakeQueue(clock=FakeClock()))
    ended = threading.Event()

    meter = meter_of(settings, queue, ended, pipelines=pipelines)
    ended.set()

    assert name == (meter and meter.name)
    assert isinstance(meter, Drained) == (name == "drain" and pipelines == 1)
