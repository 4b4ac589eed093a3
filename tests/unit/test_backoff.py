"""Delays grow, are never nothing, and never over what SQS allows."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.backoff import Backoff, return_delay_s
from transforms.queues import SQS_MAX_VISIBILITY_S


class _NoJitter(random.Random):
    """Draws the upper end."""

    def uniform(self, a: float, b: float) -> float:
        """Answer the upper end."""
        return max(a, b)


def test_delays_double_up_to_the_limit() -> None:
    """Without jitter the schedule shows."""
    backoff = Backoff(base_s=0.5, max_s=3, rng=_NoJitter())

    assert [0.5, 1, 2, 3, 3] == [backoff.next_delay() for _ in range(5)]


def test_after_a_success_delays_begin_anew() -> None:
    """One hiccup a day is not a long outage."""
    backoff = Backoff(base_s=0.5, max_s=3, rng=_NoJitter())
    for _ in range(4):
        backoff.next_delay()

    backoff.reset()

    assert 0.5 == backoff.next_delay()


def test_a_delay_is_at_least_half_of_what_is_due() -> None:
    """Full jitter down to zero would be a hot loop now and then."""
    backoff = Backoff(base_s=2, max_s=2, rng=random.Random(1))

    delays = [backoff.next_delay() for _ in range(100)]

    assert 1 <= min(delays)
    assert max(delays) <= 2


@pytest.mark.parametrize(("receives", "expected"), [(1, 10), (2, 20), (3, 40), (8, 900), (10**9, 900)])
def test_a_return_waits_twice_as_long_each_time(receives: int, expected: int) -> None:
    """Until `--retry_max_s`."""
    assert expected == return_delay_s(receives, base_s=10, max_s=900, rng=_NoJitter())


@given(
    receives=st.integers(-1, 10**12),
    base_s=st.floats(0, 10**6),
    max_s=st.floats(0, 10**9),
    seed=st.integers(),
)
def test_a_return_is_never_at_once_and_never_refused_by_sqs(
    receives: int, base_s: float, max_s: float, seed: int
) -> None:
    """Visibility 0 would burn every receive of a poison message within seconds."""
    delay_s = return_delay_s(receives, base_s=base_s, max_s=max_s, rng=random.Random(seed))

    assert 1 <= delay_s <= SQS_MAX_VISIBILITY_S
