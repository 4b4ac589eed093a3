"""What is counted, what is told, and that a busy job stays readable."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.builders import EVENT_TIME, a_delivery, an_object_ref
from tests.fakes import FakeClock
from transforms.events import EventLog
from transforms.failures import FailureKind, FinishedKind
from transforms.metric_table import BY_SOURCE
from transforms.records import Door, Failure, Finished

if TYPE_CHECKING:
    from transforms.histograms import Observed

NOW_S = EVENT_TIME.timestamp() + 2
REF = an_object_ref(bucket="b", key="k.gz", delivery=a_delivery(message_id="m", receive_count=2))
FAILED = Failure(REF.delivery, 0, REF, FailureKind.CORRUPT_GZIP, "not a valid gzip file", "zlib.error")
UNREADABLE = Failure(REF.delivery, 0, None, FailureKind.UNREADABLE_NOTIFICATION, "no JSON", "ValueError")


@pytest.fixture
def clock() -> FakeClock:
    """Start at an odd time."""
    return FakeClock()


@pytest.fixture
def events(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> EventLog:
    """Nothing has happened; lines at INFO are kept."""
    caplog.set_level(logging.INFO, logger="sqs_pipeline")
    return EventLog(clock=clock, now=lambda: NOW_S)


def _above_zero(name: str, histogram: Observed) -> dict[float | None, int]:
    bounds = (*BY_SOURCE[name].bounds, None)
    return {bound: count for bound, count in zip(bounds, histogram["counts"], strict=True) if count}


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


def test_every_event_of_a_quiet_job_is_told_in_a_sentence(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody with one object sees what became of it."""
    events.arrived(1)
    events.arrived(2)
    events.fetched(REF, 12_345, 0.1)
    events.processed(REF, 0.25, 80_000)
    events.stored(REF, "b/k.gz.0123.json", 0.01)
    events.set_aside(FAILED, "m-0.json")
    events.failed(UNREADABLE)
    events.given_back(REF.delivery, 20, "corrupt_gzip")

    assert [
        "received 1 message",
        "received 2 messages",
        "fetched s3://b/k.gz (12,345 bytes)",
        "processed s3://b/k.gz in 0.250 s",
        "stored s3://b/k.gz as b/k.gz.0123.json",
        "set aside s3://b/k.gz: corrupt_gzip: not a valid gzip file (dead letter m-0.json)",
        "failed message m: unreadable_notification: no JSON",
        "returned message m for 20 s (corrupt_gzip)",
    ] == _lines(caplog)


def test_every_event_is_counted(events: EventLog) -> None:
    """The messages that came when they are held, not when their coming is told."""
    events.arrived(3)
    events.received(3)
    events.fetched(REF, 100, 0.1)
    events.fetched(REF, 11, 0.1)
    events.processed(REF, 0.25, 1000)
    events.stored(REF, "name", 0.01)
    events.set_aside(FAILED, "name")
    events.failed(FAILED)
    events.given_back(REF.delivery, 20, "why")
    events.settled(Door.STORED, "stored")
    events.settled(Door.SET_ASIDE, "corrupt_gzip")
    events.count("possible_duplicates")

    assert {
        "received": 3,
        "fetched": 2,
        "fetched_bytes": 111,
        "processed": 1,
        "inflated_bytes": 1000,
        "stored_records": 1,
        "set_aside_records": 1,
        "failed_records": 1,
        "given_back": 1,
        "stored": 1,
        "set_aside": 1,
        "set_aside/corrupt_gzip": 1,
        "possible_duplicates": 1,
    } == events.counts()


def test_a_copy_of_the_counters_stays_as_it_is(events: EventLog) -> None:
    """Whoever compares two of them must not compare one with itself."""
    before = events.counts()
    events.received(1)

    assert (0, 1) == (before["received"], events.counts()["received"])


def test_failures_are_warnings_and_the_rest_is_not(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """An operator's filter finds what needs a look."""
    events.arrived(1)
    events.set_aside(FAILED, "name")
    events.failed(FAILED)

    assert [logging.INFO, logging.WARNING, logging.WARNING] == [record.levelno for record in caplog.records]


def test_lines_carry_fields_for_machines(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """For logs in JSON: what happened, and to which object; whatever becomes of it, one filter finds it."""
    events.arrived(1)
    events.fetched(REF, 7, 0.02)
    events.processed(REF, 0.5, 70)
    events.stored(REF, "name", 0.01)
    events.set_aside(FAILED, "letter")
    events.failed(UNREADABLE)
    events.ignored(Finished(REF.delivery, 0, FinishedKind.FILTERED, REF))
    events.given_back(REF.delivery, 20, "why", REF)

    message = {"message_id": "m", "attempt": 2}
    about = {**message, "bucket": "b", "key": "k.gz"}
    assert [
        {"event": "received"},
        {"event": "fetched", **about, "bytes": 7, "seconds": 0.02},
        {"event": "processed", **about, "bytes": 70, "seconds": 0.5},
        {"event": "stored", **about, "name": "name", "seconds": 0.01},
        {"event": "set_aside", **about, "kind": "corrupt_gzip", "name": "letter"},
        {"event": "failed", **message, "kind": "unreadable_notification"},
        {"event": "ignored", **about, "kind": "filtered"},
        {"event": "returned", **about, "delay_s": 20},
    ] == [vars(record)["fields"] for record in caplog.records]


def test_a_busy_second_is_told_in_a_few_lines(
    events: EventLog, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Five of a kind one by one, the rest as their number; counters stay exact."""
    for _ in range(100):
        events.arrived(10)
        events.stored(REF, "name", 0.01)
    clock.advance(1)
    events.arrived(1)

    assert [
        *["received 10 messages", "stored s3://b/k.gz as name"] * 5,
        "… and 950 more received, 95 more stored records",
        "received 1 message",
    ] == _lines(caplog)
    assert 100 == events.counts()["stored_records"]


def test_at_debug_every_event_is_told(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """For somebody who looks for one object among thousands."""
    caplog.set_level(logging.DEBUG, logger="sqs_pipeline")
    for _ in range(7):
        events.stored(REF, "name", 0.01)

    assert [logging.INFO] * 5 + [logging.DEBUG] * 2 == [record.levelno for record in caplog.records]


def test_the_end_of_a_job_tells_what_the_last_second_kept_back(
    events: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    """Once."""
    for _ in range(6):
        events.arrived(1)
    events.flush()
    events.flush()

    assert ["… and 1 more received"] == _lines(caplog)[5:]


def test_the_balance_names_every_door(events: EventLog) -> None:
    """Every delivery leaves by exactly one."""
    events.received(1005)
    for door, deliveries in [(Door.STORED, 1000), (Door.IGNORED, 3), (Door.SET_ASIDE, 1), (Door.RETURNED, 1)]:
        for _ in range(deliveries):
            events.settled(door, "kind")

    assert "1,005 received = 1,000 stored + 3 ignored + 1 set aside + 1 returned" == events.summary()


def test_a_balance_that_is_none_says_so(events: EventLog) -> None:
    """While work is in hand, or after a mistake of ours."""
    events.received(2)
    events.settled(Door.STORED, "stored")

    assert "2 received ≠ 1 stored + 0 ignored + 0 set aside + 0 returned" == events.summary()


def test_durations_and_the_lag_are_counted_between_bounds(events: EventLog) -> None:
    """The lag counts from S3's event, and a clock that is behind makes none that is negative."""
    events.answered(0.02)
    events.fetched(REF, 100, 0.004)
    events.processed(REF, 0.25, 1000)
    events.stored(REF, "name", 0.0005)
    events.stored(an_object_ref(event_time=datetime.fromtimestamp(NOW_S + 60, UTC)), "name", 0.0005)
    events.stored(an_object_ref(event_time=None, delivery=a_delivery(sent_at=EVENT_TIME)), "name", 0.0005)
    events.settled(Door.STORED, "stored", 4000)
    histograms = events.tally()["histograms"]

    assert {
        "receive": {0.025: 1},
        "fetch": {0.005: 1},
        "process": {0.25: 1},
        "write": {0.001: 3},
        "acknowledge": {None: 1},
        "lag": {2.5: 2, 0.25: 1},
    } == {name: _above_zero(name, histogram) for name, histogram in histograms.items()}
    assert (4.0, 0.25) == (histograms["lag"]["sum"], histograms["process"]["sum"])


def test_the_last_failures_are_kept_without_what_is_large(events: EventLog) -> None:
    """Twenty, the newest last."""
    for _ in range(30):
        events.failed(UNREADABLE)
    events.set_aside(FAILED, "m-0.json")
    failures = events.tally()["failures"]

    assert 20 == len(failures)
    assert (None, None) == (failures[0]["object"], failures[0]["dead_letter"])
    assert {
        "at": NOW_S,
        "kind": "corrupt_gzip",
        "detail": "not a valid gzip file",
        "object": "s3://b/k.gz",
        "message_id": "m",
        "attempt": 2,
        "dead_letter": "m-0.json",
    } == failures[-1]


def test_the_longest_wait_in_the_queue_is_that_of_the_last_minute(events: EventLog, clock: FakeClock) -> None:
    """Or two; nobody knows of one when nothing came."""
    events.arrived(1, 300.0)
    events.arrived(1)
    waits = [events.tally()["longest_wait_s"]]
    for seconds in (60, 60):
        clock.advance(seconds)
        waits.append(events.tally()["longest_wait_s"])

    assert [300.0, 300.0, None] == waits


def test_news_are_handed_out_once(events: EventLog) -> None:
    """Whoever adds them up elsewhere has the same sums."""
    events.received(2)
    first = events.news()
    events.received(3)

    assert ({"received": 2}, {"received": 3}, {}) == (first, events.news(), events.news())


def test_what_is_told_is_plain_json(events: EventLog) -> None:
    """It goes through a pipe."""
    events.settled(Door.SET_ASIDE, FailureKind.CORRUPT_GZIP, 0.1)
    events.set_aside(FAILED, "m-0.json")
    tally = events.tally()

    assert tally == json.loads(json.dumps(tally))
    assert {str} == {type(name) for name in json.loads(json.dumps(tally))["counts"]}


def test_a_reset_starts_from_zero(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """A second job in the same process has a balance of its own."""
    before = events.tally()
    for _ in range(9):
        events.arrived(1, 1.0)
        events.received(1)
        events.failed(FAILED)
        events.answered(1)
    events.news()
    events.reset()
    events.flush()

    assert before == events.tally()
    assert {} == events.news()
    assert 10 == len(_lines(caplog))
