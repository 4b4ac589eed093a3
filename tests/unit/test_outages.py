"""When the outage guard pauses, how it probes, and what ends it."""

from __future__ import annotations

import logging

import pytest

from tests.fakes import FakeClock
from transforms.failures import OUTSIDE_KINDS, FailureKind
from transforms.outages import OUTPUT, SOURCE, OutageGuard

FORBIDDEN = FailureKind.FORBIDDEN
WRITE_FAILED = FailureKind.WRITE_FAILED


@pytest.fixture
def clock() -> FakeClock:
    """Start at an odd time: nothing may take zero for "never"."""
    return FakeClock()


@pytest.fixture
def guard(clock: FakeClock) -> OutageGuard:
    """Nothing has failed yet."""
    return OutageGuard(clock=clock)


def _fail(guard: OutageGuard, kind: FailureKind, *message_ids: str) -> None:
    for message_id in message_ids:
        guard.failed(kind, message_id, "no")


def _probe_times(guard: OutageGuard, clock: FakeClock, seconds: int) -> list[int]:
    """At which of the next `seconds` a probe is allowed."""
    times = []
    for second in range(seconds + 1):
        if guard.may_probe():
            times.append(second)
        clock.advance(second < seconds)
    return times


def test_three_messages_that_fail_for_an_outside_reason_are_an_outage(guard: OutageGuard) -> None:
    """Two may be two bad objects in an idle queue."""
    _fail(guard, FORBIDDEN, "a", "b")
    assert not guard.pausing

    _fail(guard, FORBIDDEN, "c")

    assert guard.pausing


@pytest.mark.parametrize("kind", sorted(OUTSIDE_KINDS))
def test_every_outside_kind_counts(guard: OutageGuard, kind: FailureKind) -> None:
    """Throttling too, when nothing else succeeds."""
    _fail(guard, kind, "a", "b", "c")

    assert guard.pausing


def test_one_forbidden_object_among_good_ones_is_not_an_outage(guard: OutageGuard) -> None:
    """Each success says that the outside works."""
    for number in range(100):
        _fail(guard, FORBIDDEN, f"message-{number}")
        guard.succeeded(SOURCE)

    assert not guard.pausing


def test_one_forbidden_object_received_again_and_again_is_not_an_outage(guard: OutageGuard) -> None:
    """In an idle queue there may be no success in between."""
    _fail(guard, FORBIDDEN, *["the same"] * 100)

    assert not guard.pausing


def test_a_success_of_the_other_class_does_not_hide_an_outage(guard: OutageGuard) -> None:
    """Objects can be read while the output store is down."""
    for message_id in "abc":
        guard.succeeded(SOURCE)
        _fail(guard, WRITE_FAILED, message_id)

    assert guard.pausing


def test_failures_of_both_classes_do_not_add_up(guard: OutageGuard) -> None:
    """Two bad objects and one bad write are three single failures."""
    _fail(guard, FORBIDDEN, "a", "b")
    _fail(guard, WRITE_FAILED, "c")

    assert not guard.pausing


@pytest.mark.parametrize(
    "kind",
    [FailureKind.OBJECT_GONE, FailureKind.CORRUPT_GZIP, FailureKind.PROCESSOR_ERROR, FailureKind.ARCHIVED],
)
def test_a_failure_of_the_object_itself_says_that_the_outside_answered(guard: OutageGuard, kind: FailureKind) -> None:
    """S3 gave the object, or said that there is none."""
    _fail(guard, FORBIDDEN, "a", "b", "c")
    _fail(guard, kind, "d")

    assert not guard.pausing


@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.UNREADABLE_NOTIFICATION,
        FailureKind.BUCKET_NOT_ALLOWED,
        FailureKind.RECEIVED_TOO_OFTEN,
        FailureKind.INTERNAL_ERROR,
    ],
)
def test_a_failure_before_the_outside_was_asked_ends_no_outage(guard: OutageGuard, kind: FailureKind) -> None:
    """A queue with some junk in it must not send every message into an outage."""
    _fail(guard, FORBIDDEN, "a", "b")
    _fail(guard, kind, "junk")
    _fail(guard, FORBIDDEN, "c")
    _fail(guard, kind, "more junk")

    assert guard.pausing


def test_the_first_success_ends_the_pause(guard: OutageGuard, caplog: pytest.LogCaptureFixture) -> None:
    """And says how long it lasted; a later outage needs three messages again."""
    _fail(guard, FORBIDDEN, "a", "b", "c")
    guard.succeeded(SOURCE)
    assert not guard.pausing
    _fail(guard, FORBIDDEN, "a", "b")

    assert not guard.pausing
    assert ["outage over: reading objects works again after 0 s"] == [r.message for r in caplog.records[1:]]


def test_a_pause_ends_only_when_both_classes_work_again(guard: OutageGuard) -> None:
    """What can be read but not written is an outage still."""
    _fail(guard, FORBIDDEN, "a", "b", "c")
    _fail(guard, WRITE_FAILED, "d", "e", "f")

    guard.succeeded(SOURCE)
    assert guard.pausing
    guard.succeeded(OUTPUT)
    assert not guard.pausing


def test_an_outage_is_told_once(guard: OutageGuard, caplog: pytest.LogCaptureFixture) -> None:
    """With its reason, at the level that wakes somebody."""
    _fail(guard, FORBIDDEN, *(f"message-{number}" for number in range(50)))

    told = [(record.levelno, record.message) for record in caplog.records]
    sentence = "outage: reading objects fails for every message (forbidden: no); receiving pauses and probes"
    assert [(logging.WARNING, sentence)] == told


def test_an_outage_of_any_length_takes_the_same_memory(guard: OutageGuard) -> None:
    """Every probe may be a new message."""
    _fail(guard, FORBIDDEN, *(f"message-{number}" for number in range(1000)))

    assert 3 == len(guard._failed[SOURCE])


def test_probes_come_with_growing_delays(guard: OutageGuard, clock: FakeClock) -> None:
    """One message each, and full speed is back within half a minute of the outage's end."""
    _fail(guard, FORBIDDEN, "a", "b", "c")

    assert [1, 3, 7, 15, 30, 45, 60] == _probe_times(guard, clock, 60)


def test_a_probe_that_proved_nothing_does_not_count(guard: OutageGuard, clock: FakeClock) -> None:
    """The next one comes at once, and the delays grow as if it had not been."""
    _fail(guard, FORBIDDEN, "a", "b", "c")
    clock.advance(1)
    assert guard.may_probe()
    assert not guard.may_probe()
    guard.probe_again()

    assert [0, 2, 6] == _probe_times(guard, clock, 7)


def test_probes_go_on_for_as_long_as_the_outage_does(guard: OutageGuard, clock: FakeClock) -> None:
    """A day and more: 2 to the power of the number of probes is no float for long."""
    _fail(guard, FORBIDDEN, "a", "b", "c")

    assert 5000 < len(_probe_times(guard, clock, 24 * 3600))


def test_a_new_outage_begins_with_short_delays_again(guard: OutageGuard, clock: FakeClock) -> None:
    """The last one's length says nothing about this one's."""
    _fail(guard, FORBIDDEN, "a", "b", "c")
    _probe_times(guard, clock, 60)
    guard.succeeded(SOURCE)
    _fail(guard, FORBIDDEN, "a", "b", "c")

    assert [1, 3, 7] == _probe_times(guard, clock, 7)


def test_without_an_outage_nothing_is_a_probe(guard: OutageGuard) -> None:
    """It is simply work."""
    assert not guard.may_probe()


def test_what_is_out_is_told(guard: OutageGuard) -> None:
    """Failures that are no outage yet are not."""
    for message_id in "ab":
        guard.failed(FailureKind.UNAVAILABLE, message_id, "503")
    before = guard.areas()
    for message_id in "abc":
        guard.failed(FailureKind.WRITE_FAILED, message_id, "disk full")
    during = guard.areas()
    guard.succeeded(OUTPUT)

    assert ([], [OUTPUT], []) == (before, during, guard.areas())
