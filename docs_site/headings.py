"""The headings of a markdown page, the anchors that code hosts make of them, and what stands under one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_HEADING = re.compile(r"^(#{1,6}) (.+)$")
_FENCE = re.compile(r"^ *(```+)")


class Heading(NamedTuple):
    """One heading, and where it stands."""

    line: int
    """From 0."""
    level: int
    title: str

    @property
    def anchor(self) -> str:
        """As code hosts make it."""
        return anchor(self.title)


def anchor(title: str, separator: str = "-") -> str:
    """Make an anchor of a heading as code hosts do, so that one link works there and on the site."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", separator)


def headings(text: str) -> list[Heading]:
    """Answer every heading, in order."""
    found = ((number, _HEADING.match(line)) for number, line in _prose(text))
    return [Heading(number, len(match[1]), match[2]) for number, match in found if match]


def section(text: str, wanted: str, *, without: Collection[str] = ()) -> str:
    """Answer what stands under the heading of that anchor, whose own parts begin at level 2. Raises `KeyError`.

    Parts of it are left out `without` whose anchors are named.
    """
    every = headings(text)
    lines = text.split("\n")
    here = {heading.anchor: heading for heading in every}[wanted]
    end = _end(here, every, len(lines))
    for part in (heading for heading in reversed(every) if here.line < heading.line < end):
        lines[part.line] = f"{'#' * (part.level - here.level + 1)} {part.title}"
        if part.anchor in without:
            del lines[part.line : (past := _end(part, every, len(lines)))]
            end -= past - part.line
    return "\n".join(lines[here.line + 1 : end]).strip("\n")


def _end(of: Heading, every: list[Heading], default: int) -> int:
    return next((other.line for other in every if other.line > of.line and other.level <= of.level), default)


def _prose(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines outside of code blocks, each with its number from 0."""
    fence = ""
    for number, line in enumerate(text.split("\n")):
        mark = _FENCE.match(line)
        if not fence and mark:
            fence = mark[1]
        elif fence and mark and line.strip() == fence:
            fence = ""
        elif not fence:
            yield number, line
