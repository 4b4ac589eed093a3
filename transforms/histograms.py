"""How values are distributed, as a scrape wants it: counts between fixed bounds, and their sum."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

DURATION_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60, 300, 1800, 3600)
"""From one small local file to the longest call that `--max_processing_s` allows unless it is raised."""
LAG_BOUNDS_S = (0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14_400, 43_200, 86_400, 345_600)
"""From S3's quickest notification to four days, after which SQS forgets a message unless told otherwise."""


class Observed(TypedDict):
    """A histogram in plain JSON."""

    counts: list[int]
    """How many values were at most each bound and over the one before; one more at the end, for what is over all."""
    sum: float


class Histogram:
    """Counts values between `bounds`. Whoever shares it has a lock."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """`bounds` rise."""
        self._bounds = bounds
        self.reset()

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def observed(self) -> Observed:
        """Answer a copy."""
        return {"counts": list(self._counts), "sum": self._sum}

    def reset(self) -> None:
        """Start from zero."""
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0


def added(one: Observed | None, other: Observed) -> Observed:
    """Add two histograms of the same bounds up."""
    if one is None:
        return other
    counts = [mine + theirs for mine, theirs in zip(one["counts"], other["counts"], strict=True)]
    return {"counts": counts, "sum": one["sum"] + other["sum"]}
