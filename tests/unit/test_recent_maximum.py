"""The largest value of a while."""

from __future__ import annotations

from tests.fakes import FakeClock
from transforms.recent_maximum import WINDOW_S, RecentMaximum


def test_the_largest_value_is_known_for_one_to_two_windows() -> None:
    """Not for ever, or one bad hour would be shown all day."""
    clock = FakeClock()
    largest = RecentMaximum(clock)
    largest.add(5)
    largest.add(3)
    known = [largest.get()]
    clock.advance(WINDOW_S)
    largest.add(1)
    known.append(largest.get())
    clock.advance(WINDOW_S)
    known.append(largest.get())
    clock.advance(2 * WINDOW_S)
    known.append(largest.get())

    assert [5, 5, 1, None] == known


def test_a_pause_of_several_windows_forgets_everything() -> None:
    """Also where nobody looked meanwhile."""
    clock = FakeClock()
    largest = RecentMaximum(clock)
    largest.add(5)
    clock.advance(3 * WINDOW_S)

    assert None is largest.get()
