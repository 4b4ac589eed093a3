"""The time that documents tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from transforms.wall_clock import wall_clock


def test_a_pinned_clock_stands_still() -> None:
    """Two documents made at different times are the same."""
    moment = datetime(2026, 1, 15, tzinfo=UTC)
    now = wall_clock(moment)

    assert (moment, moment) == (now(), now())


def test_any_other_clock_tells_the_time_in_utc() -> None:
    """Aware, so that nobody takes it for local time."""
    before, now = datetime.now(UTC), wall_clock()()

    assert timedelta(0) == now.utcoffset()
    assert before <= now <= datetime.now(UTC)
