"""What a run found: printed as it comes, and kept for what comes later to be compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.tables import Medians


@dataclass
class Report:
    """The findings of one run."""

    small: dict[str, Medians] = field(default_factory=dict)
    """The rows of the small objects."""
    limit: Medians | None = None
    """The loop that does the least; None if it was not measured."""
    fastest: float = 0.0
    """Of all small objects a second, whoever it was."""

    def tell(self, title: str, *paragraphs: str) -> None:
        """Print a section."""
        print("\n\n".join([f"### {title}", *filter(None, paragraphs)]), end="\n\n", flush=True)

    def saw(self, rows: dict[str, Medians]) -> None:
        """Remember the fastest: the stand-in must be able to serve three times as much."""
        self.fastest = max([self.fastest, *(row.per_s for row in rows.values())])
