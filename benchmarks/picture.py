"""The small objects as a picture: horizontal bars in SVG, readable on light and on dark pages."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.tables import Medians

WIDTH, MARGIN, LABEL, VALUE = 720, 16, 160, 90
"""Pixels: the picture, around it, and left and right of the bars."""
HEAD, BAR, GAP, ROW = 34, 18, 18, 26
"""Pixels: a panel's heading, a bar, the space between panels, a row."""
TEXT, OURS, OTHERS = "#7d838c", "#2f81f7", "#9aa1aa"
"""Tones between, with the same contrast to white and to black: a page's theme need not be that of the system."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure of every row."""

    heading: str
    bars: Mapping[str, float]
    decimals: int


def picture(rows: Mapping[str, Medians], *, ours: str, caption: str) -> str:
    """Draw CPU time per object and objects a second, the bars of `ours` in a colour of their own."""
    panels = (
        Panel("CPU ms per object (less is better)", {name: row.cpu_ms for name, row in rows.items()}, 2),
        Panel("objects per second (more is better)", {name: row.per_s for name, row in rows.items()}, 0),
    )
    drawn: list[str] = []
    top = MARGIN
    for panel in panels:
        drawn += _panel(panel, top, ours)
        top += HEAD + ROW * len(panel.bars) + GAP
    drawn.append(_text(MARGIN, top + 4, caption, size=11))
    height = top + 4 + MARGIN
    title = "; ".join(f"{panel.heading}: {_said(panel)}" for panel in panels)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="system-ui, sans-serif" role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", *drawn, "</svg>", ""])


def _panel(panel: Panel, top: int, ours: str) -> list[str]:
    room = WIDTH - 2 * MARGIN - LABEL - VALUE
    largest = max(panel.bars.values()) or 1
    drawn = [_text(MARGIN, top + 16, panel.heading, size=14, weight=600)]
    for number, (name, value) in enumerate(panel.bars.items()):
        y, length = top + HEAD + ROW * number, room * value / largest
        weight, fill = (600, OURS) if name == ours else (400, OTHERS)
        drawn += [
            _text(MARGIN + LABEL - 10, y + 13, name, anchor="end", weight=weight),
            f'<rect x="{MARGIN + LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3" fill="{fill}"/>',
            _text(MARGIN + LABEL + length + 8, y + 13, _number(panel, value), weight=weight),
        ]
    return drawn


def _text(x: float, y: float, said: str, *, size: int = 13, weight: int = 400, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{TEXT}">'
        f"{escape(said)}</text>"
    )


def _number(panel: Panel, value: float) -> str:
    return f"{value:,.{panel.decimals}f}"


def _said(panel: Panel) -> str:
    return ", ".join(f"{name} {_number(panel, value)}" for name, value in panel.bars.items())
