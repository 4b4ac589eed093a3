"""How long to wait before trying again: longer each time, and never everybody at once."""

from __future__ import annotations

import random

from transforms.queues import SQS_MAX_VISIBILITY_S

MAX_DOUBLINGS = 32
"""More would only overflow: every base times this is over every limit."""


class Backoff:
    """Growing delays with jitter, for one caller that waits on one service."""

    def __init__(self, *, base_s: float, max_s: float, rng: random.Random | None = None) -> None:
        """The first delay is at most `base_s` seconds, each next at most twice the one before, none over `max_s`."""
        self._base_s = base_s
        self._max_s = max_s
        self._random = rng or random.Random()  # noqa: S311 - jitter, not secrets
        self._failures = 0

    def next_delay(self) -> float:
        """Seconds to wait now, between half of and all that is due: waiting hardly at all would be a hot loop."""
        due_s = min(self._base_s * 2.0 ** min(self._failures, MAX_DOUBLINGS), self._max_s)
        self._failures += 1
        return due_s * self._random.uniform(0.5, 1)

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._failures = 0


def return_delay_s(receive_count: int, *, base_s: float, max_s: float, rng: random.Random) -> int:
    """Answer after how many seconds a failed message is visible again: `min(base_s * 2^(receives - 1), max_s)`.

    With jitter of up to a quarter less, so that what failed together does not return together. At least 1 second, or
    a poison message would burn its receives in a tight loop; at most SQS's 12 hours.
    """
    doublings = min(max(receive_count - 1, 0), MAX_DOUBLINGS)
    due_s = min(base_s * 2.0**doublings, max_s)
    return min(max(1, round(due_s * rng.uniform(0.75, 1))), SQS_MAX_VISIBILITY_S)
