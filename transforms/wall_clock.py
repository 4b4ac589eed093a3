"""What time it is for documents: now, or always the same moment, so that two runs can be compared byte by byte."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def wall_clock(pinned: datetime | None = None) -> Callable[[], datetime]:
    """Answer what tells the time, in UTC: always `pinned`, if that is given."""
    return _now if pinned is None else lambda: pinned


def _now() -> datetime:
    return datetime.now(UTC)
