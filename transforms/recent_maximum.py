"""The largest value of about the last minute, kept in two numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

WINDOW_S = 60.0


class RecentMaximum:
    """The largest value of the last one to two windows. Whoever shares it has a lock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` counts seconds."""
        self._clock = clock
        self._now: float | None = None
        self._before: float | None = None
        self.reset()

    def add(self, value: float) -> None:
        """Note one value."""
        self._turn()
        self._now = value if self._now is None else max(self._now, value)

    def get(self) -> float | None:
        """Answer the largest; None if there was no value."""
        self._turn()
        return max((value for value in (self._now, self._before) if value is not None), default=None)

    def reset(self) -> None:
        """Forget everything."""
        self._now = self._before = None
        self._ends_at = self._clock() + WINDOW_S

    def _turn(self) -> None:
        """Begin a new window if this one is over."""
        late_s = self._clock() - self._ends_at
        if late_s < 0:
            return
        self._before = self._now if late_s < WINDOW_S else None
        self._now = None
        self._ends_at = self._clock() + WINDOW_S
