"""What a process says of itself at one moment."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.snapshots import take_snapshot
from tests.builders import QUEUE_URL, a_message, a_notification, an_object_ref
from tests.by_hand import BatcherByHand, Desk
from tests.fakes import FakeClock
from transforms import process_wide
from transforms.consumers import Consumer
from transforms.contents import Fetched
from transforms.events import EVENTS
from transforms.failures import FailureKind, QueueError
from transforms.process_wide import ProcessWide
from transforms.processing import Processor
from transforms.records import Door
from transforms.settings import LeaseSettings, ProcessSettings, ReceiveSettings

if TYPE_CHECKING:
    from pipeline.snapshots import Snapshot

CLOCK = FakeClock()
JOIN_S = 60
_may_end, _begun = threading.Event(), threading.Event()


def holds(content: Fetched) -> dict[str, int]:
    """Be in the function until the test says so."""
    _begun.set()
    assert _may_end.wait(JOIN_S)
    return {}


def _consumer() -> Consumer:
    receive, leases = ReceiveSettings(QUEUE_URL), LeaseSettings(visibility_timeout_s=60)
    return Consumer(Desk(), receive, leases, stop=threading.Event(), clock=CLOCK, batcher=BatcherByHand)


@pytest.fixture
def consumer(monkeypatch: pytest.MonkeyPatch) -> Consumer:
    """The process has one, and its pollers are somewhere else."""
    made = ProcessWide(_consumer).get()
    monkeypatch.setattr(Consumer, "finished", lambda _: False)
    return made


def _snapshot() -> Snapshot:
    return take_snapshot(lambda: None)


def test_a_process_that_begins_says_so_and_nothing_else() -> None:
    """It has no consumer yet, or none any more."""
    EVENTS.received(2)
    snapshot = _snapshot()

    assert {"received": 2} == snapshot["tally"]["counts"]
    assert {"messages": 0, "bytes": 0, "stages": {}, "oldest": []} == snapshot["in_flight"]
    assert [None] * 4 == [
        snapshot["vitals"][name] for name in ("flow_idle_s", "in_function_s", "answered_s", "trouble")
    ]


def test_what_is_in_flight_is_told_with_the_oldest(consumer: Consumer) -> None:
    """Five, with what they are about and how far they are."""
    messages = [
        a_message(message_id=str(number), body=a_notification(f"{number}.gz", size=10), receive_count=2)
        for number in range(7)
    ]
    consumer.admit(messages[:1], reserved=0, asked_at=CLOCK())
    (first,) = consumer.take(0)
    consumer.admit(messages[1:], reserved=0, asked_at=CLOCK())
    CLOCK.advance(4)
    in_flight = _snapshot()["in_flight"]

    assert (7, 70, 5) == (in_flight["messages"], in_flight["bytes"], len(in_flight["oldest"]))
    assert {
        "message_id": "0",
        "object": "s3://source-bucket/0.gz",
        "stage": "in_hand",
        "age_s": 4.0,
        "attempt": 2,
    } == in_flight["oldest"][0]
    assert "buffered" == in_flight["oldest"][1]["stage"]
    assert {"in_hand": 1, "buffered": 6} == in_flight["stages"]
    consumer.settle(first.delivery, 0, Door.STORED, kind="stored", bucket=None)
    assert "leaving" == _snapshot()["in_flight"]["oldest"][0]["stage"]


def test_a_message_without_an_object_has_none(consumer: Consumer) -> None:
    """Nobody could read it."""
    consumer.admit([a_message(body="junk")], reserved=0, asked_at=CLOCK())

    assert None is _snapshot()["in_flight"]["oldest"][0]["object"]


def test_whether_it_moves_and_whether_sqs_answers_is_told_in_seconds(consumer: Consumer) -> None:
    """For /healthz and /readyz."""
    consumer.take(0)
    CLOCK.advance(2)
    consumer.admit([], reserved=0, asked_at=CLOCK())
    CLOCK.advance(3)
    vitals = _snapshot()["vitals"]

    assert (5, 3, None) == (vitals["flow_idle_s"], vitals["answered_s"], vitals["in_function_s"])
    assert (None, False, False) == (vitals["trouble"], vitals["trouble_is_permanent"], vitals["stopping"])


def test_nobody_asks_for_work_when_there_is_none_any_more(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner may take its time to end a job whose source has ended."""
    monkeypatch.setattr(Consumer, "finished", lambda _: True)

    assert None is _snapshot()["vitals"]["flow_idle_s"]


def test_trouble_with_sqs_is_told_and_whether_it_will_pass(consumer: Consumer) -> None:
    """Access that is denied will not."""
    consumer._pollers._queue = _Denied()
    consumer._pollers._poll(1)
    vitals = _snapshot()["vitals"]

    assert ("denied", True) == (vitals["trouble"], vitals["trouble_is_permanent"])


class _Denied(Desk):
    def receive(self, **_: int) -> list[object]:  # type: ignore[override]
        raise QueueError("denied", permanent=True)


def test_an_outage_is_told_with_its_area_and_its_length(consumer: Consumer) -> None:
    """As metrics name it."""
    for message_id in "abc":
        consumer.guard.failed(FailureKind.WRITE_FAILED, message_id, "disk full")
    CLOCK.advance(7)

    assert {"output": 7.0} == _snapshot()["outage"]


def test_a_call_of_the_function_in_beams_own_thread_is_told(consumer: Consumer) -> None:
    """In another one it is none of the flow's."""
    processor = ProcessWide(Processor, ProcessSettings(processor=f"{__name__}:holds")).get()

    def flow() -> None:
        consumer.take(0)
        processor.process(Fetched(an_object_ref(), b"", size=0))

    beams = threading.Thread(target=flow)
    beams.start()
    try:
        assert _begun.wait(JOIN_S)
        inside = _snapshot()["vitals"]["in_function_s"]
        consumer.taker = threading.get_ident()
        elsewhere = _snapshot()["vitals"]["in_function_s"]
    finally:
        _may_end.set()
        beams.join(JOIN_S)

    assert inside is not None
    assert inside >= 0
    assert None is elsewhere


def test_a_snapshot_is_plain_json(consumer: Consumer) -> None:
    """It goes through a pipe."""
    consumer.admit([a_message(), a_message(message_id="b", body="junk")], reserved=0, asked_at=CLOCK())
    snapshot = take_snapshot(lambda: {"at": 1.0, "visible": 1, "hidden": 2, "delayed": 3})

    assert snapshot == json.loads(json.dumps(snapshot))


@pytest.fixture(autouse=True)
def _no_consumer_before() -> None:
    """Each test has its own."""
    process_wide.close_all()
    EVENTS.reset()
