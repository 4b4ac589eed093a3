"""What is counted, what is told, and that a busy job stays readable."""

from __future__ import annotations

import logging

import pytest

from tests.builders import a_delivery, an_object_ref
from tests.fakes import FakeClock
from transforms.events import EventLog
from transforms.failures import FailureKind
from transforms.records import Door, Failure

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
    return EventLog(clock=clock)


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records]


def test_every_event_of_a_quiet_job_is_told_in_a_sentence(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody with one object sees what became of it."""
    events.received(1)
    events.received(2)
    events.fetched(REF, 12_345)
    events.processed(REF, 0.25)
    events.stored(REF, "b/k.gz.0123.json")
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
    """Under the name that metrics show."""
    events.received(3)
    events.fetched(REF, 100)
    events.fetched(REF, 11)
    events.processed(REF, 0.25)
    events.stored(REF, "name")
    events.set_aside(FAILED, "name")
    events.failed(FAILED)
    events.given_back(REF.delivery, 20, "why")
    events.settled(Door.STORED)
    events.count("possible_duplicates")

    assert {
        "received": 3,
        "fetched": 2,
        "fetched_bytes": 111,
        "processed": 1,
        "stored_records": 1,
        "set_aside_records": 1,
        "failed_records": 1,
        "given_back": 1,
        "stored": 1,
        "possible_duplicates": 1,
    } == events.counts()


def test_a_copy_of_the_counters_stays_as_it_is(events: EventLog) -> None:
    """Whoever compares two of them must not compare one with itself."""
    before = events.counts()
    events.received(1)

    assert (0, 1) == (before["received"], events.counts()["received"])


def test_failures_are_warnings_and_the_rest_is_not(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """An operator's filter finds what needs a look."""
    events.received(1)
    events.set_aside(FAILED, "name")
    events.failed(FAILED)

    assert [logging.INFO, logging.WARNING, logging.WARNING] == [record.levelno for record in caplog.records]


def test_lines_carry_fields_for_machines(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """For logs in JSON."""
    events.received(1)
    events.stored(REF, "name")
    events.failed(UNREADABLE)
    events.given_back(REF.delivery, 20, "why")

    assert [
        {},
        {"message_id": "m", "attempt": 2, "bucket": "b", "key": "k.gz"},
        {"message_id": "m", "attempt": 2, "kind": "unreadable_notification"},
        {"message_id": "m", "attempt": 2, "delay_s": 20},
    ] == [vars(record)["fields"] for record in caplog.records]


def test_a_busy_second_is_told_in_a_few_lines(
    events: EventLog, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Five of a kind one by one, the rest as their number; counters stay exact."""
    for _ in range(100):
        events.received(10)
        events.stored(REF, "name")
    clock.advance(1)
    events.received(1)

    assert [
        *["received 10 messages", "stored s3://b/k.gz as name"] * 5,
        "… and 950 more received, 95 more stored records",
        "received 1 message",
    ] == _lines(caplog)
    assert (1001, 100) == (events.counts()["received"], events.counts()["stored_records"])


def test_at_debug_every_event_is_told(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """For somebody who looks for one object among thousands."""
    caplog.set_level(logging.DEBUG, logger="sqs_pipeline")
    for _ in range(7):
        events.stored(REF, "name")

    assert [logging.INFO] * 5 + [logging.DEBUG] * 2 == [record.levelno for record in caplog.records]


def test_the_end_of_a_job_tells_what_the_last_second_kept_back(
    events: EventLog, caplog: pytest.LogCaptureFixture
) -> None:
    """Once."""
    for _ in range(6):
        events.received(1)
    events.flush()
    events.flush()

    assert ["… and 1 more received"] == _lines(caplog)[5:]


def test_the_balance_names_every_door(events: EventLog) -> None:
    """Every delivery leaves by exactly one."""
    events.received(1005)
    for door, deliveries in [(Door.STORED, 1000), (Door.IGNORED, 3), (Door.SET_ASIDE, 1), (Door.RETURNED, 1)]:
        for _ in range(deliveries):
            events.settled(door)

    assert "1,005 received = 1,000 stored + 3 ignored + 1 set aside + 1 returned" == events.summary()


def test_a_balance_that_is_none_says_so(events: EventLog) -> None:
    """While work is in hand, or after a mistake of ours."""
    events.received(2)
    events.settled(Door.STORED)

    assert "2 received ≠ 1 stored + 0 ignored + 0 set aside + 0 returned" == events.summary()


def test_a_reset_starts_from_zero(events: EventLog, caplog: pytest.LogCaptureFixture) -> None:
    """A second job in the same process has a balance of its own."""
    for _ in range(9):
        events.received(1)
    events.reset()
    events.flush()

    assert {} == events.counts()
    assert ["received 1 message"] * 5 == _lines(caplog)
