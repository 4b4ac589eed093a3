"""What the tests of the documentation read out of a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(#+) (.*)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


class Page:
    """One markdown file."""

    def __init__(self, path: Path) -> None:
        """Read it."""
        self.path = path
        self.text = path.read_text(encoding="utf-8")

    def section(self, heading: str) -> str:
        """Answer what stands under a heading, its sub-sections too."""
        levels = {title: len(marks) for marks, title in _HEADING.findall(_without_fences(self.text))}
        level = levels[heading]
        _, _, rest = self.text.partition(f"\n{'#' * level} {heading}\n")
        body = re.split(rf"^#{{1,{level}}} ", _without_comments_in_fences(rest), maxsplit=1, flags=re.MULTILINE)[0]
        return rest[: len(body)]

    def links(self) -> Iterator[tuple[str, str]]:
        """Yield the text and the target of every link outside of code."""
        for text, target in _LINK.findall(_without_fences(self.text)):
            yield text.strip("`"), target

    def anchors(self) -> set[str]:
        """Answer the anchors of all headings, as GitHub makes them."""
        titles = (title for _, title in _HEADING.findall(_without_fences(self.text)))
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def blocks(text: str, language: str) -> list[str]:
    """Answer the code blocks of one language."""
    return [body for name, body in all_blocks(text) if name == language]


def all_blocks(text: str) -> list[tuple[str, str]]:
    """Answer the language and the text of every code block, in order."""
    return _FENCE.findall(text)


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of every table row, headings too."""
    for line in text.splitlines():
        if line.startswith("|") and not set(line) <= set("|-: "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def codes(text: str) -> list[str]:
    """Answer what stands between backticks."""
    return _CODE.findall(text)


def _without_fences(text: str) -> str:
    return _FENCE.sub("", text)


def _without_comments_in_fences(text: str) -> str:
    """Hide a `#` that begins a line of code, and keep every offset."""
    return _FENCE.sub(lambda fence: fence.group().replace("#", " "), text)
