"""Where each file of the repository is on the site, so that a relative link leads to the same thing in both places.

Pages in docs/ keep their names. A markdown file elsewhere is a page too, and every other file that a page links to is
shown as code, under source/. The readme is in parts: a page that shows one of its sections is where links to it lead.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, NamedTuple

from docs_site.headings import headings, section

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

README = "README.md"
SITE_OF_README = "readme.md"
_FENCE_OR_LINK = re.compile(
    r"^ *(?P<fence>```+).*?^ *(?P=fence) *$|\[(?P<words>(?:[^\[\]`]|`[^`]*`)*)\]\((?P<link>[^)\s]+)\)",
    re.DOTALL | re.MULTILINE,
)
_ELSEWHERE = re.compile(r"[a-z]+:|//")


class Target(NamedTuple):
    """Where a link leads."""

    path: str
    """From the root of the repository."""
    anchor: str = ""

    @classmethod
    def of(cls, link: str, page: str) -> Target:
        """Resolve a relative link on `page`."""
        path, _, anchor = link.partition("#")
        return cls(posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page, anchor)


def links(text: str) -> Iterator[tuple[str, str]]:
    """Yield the text and the target of every relative link outside of code blocks."""
    for match in _FENCE_OR_LINK.finditer(text):
        if _is_relative(match):
            yield match["words"].strip("`"), match["link"]


def with_links(text: str, change: Callable[[str, str], str]) -> str:
    """Let `change` make new targets of the texts and targets of all relative links."""

    def changed(match: re.Match[str]) -> str:
        if not _is_relative(match):
            return match[0]
        return f"[{match['words']}]({change(match['words'].strip('`'), match['link'])})"

    return _FENCE_OR_LINK.sub(changed, text)


def _is_relative(match: re.Match[str]) -> bool:
    return not match["fence"] and not _ELSEWHERE.match(match["link"])


class Repository:
    """The files, and which of them the pages link to."""

    def __init__(self, root: Path, readme_pages: Mapping[str, str]) -> None:
        """`readme_pages` names the page of the site for each anchor of the readme whose section it shows."""
        self.root = root
        self._readme_pages = dict(readme_pages)
        self._sections = frozenset(readme_pages)
        for anchor, page in readme_pages.items():
            self._readme_pages |= {part.anchor: page for part in headings(self.section_of_readme(anchor))}

    def read(self, path: str) -> str:
        """Answer a file's text."""
        return (self.root / path).read_text(encoding="utf-8")

    def section_of_readme(self, anchor: str) -> str:
        """Answer a section without those of its parts that have a page of their own. Raises `KeyError`."""
        return section(self.read(README), anchor, without=self._sections)

    def linked_from(self, pages: list[str]) -> set[str]:
        """Answer every file and directory that these pages lead to, over others as well; all exist."""
        found, waiting = set(pages), list(pages)
        while waiting:
            page = waiting.pop()
            new = {self._entry(Target.of(link, page).path) for _, link in links(self.read(page))} - found
            found |= new
            waiting += [path for path in new if path.endswith(".md")]
        return found

    def place(self, target: Target) -> str:
        """Answer the source of a page of the site, and the anchor on it."""
        path = self._entry(target.path)
        anchor = f"#{target.anchor}" if target.anchor else ""
        if path == README:
            page = self._readme_pages.get(target.anchor, SITE_OF_README)
            return page if target.anchor in self._sections else f"{page}{anchor}"
        if path.startswith("docs/"):
            return path.removeprefix("docs/") + anchor
        return (path if path.endswith(".md") else source_page(path)) + anchor

    def relinked(self, text: str, page: str, at: str) -> str:
        """Answer the text of `page` with its links as they must be on the site's page `at`."""

        def change(words: str, link: str) -> str:
            target = Target.of(link, page)
            if words.startswith("test_") and not target.anchor:
                target = target._replace(anchor=self._line_of(words, target.path))
            path, mark, anchor = self.place(target).partition("#")
            return posixpath.relpath(path, posixpath.dirname(at) or ".") + mark + anchor

        return with_links(text, change)

    def _entry(self, path: str) -> str:
        """A directory is its README.md, if it has one."""
        inside = posixpath.join(path, README)
        return inside if path != "." and (self.root / inside).is_file() else path

    def _line_of(self, test: str, path: str) -> str:
        """The anchor of the line where a test begins; none for a file of tests."""
        if not (self.root / path).is_file():
            return ""
        lines = self.read(path).split("\n")
        line = next((number for number, text in enumerate(lines, start=1) if f"def {test}(" in text), 0)
        return f"__codelineno-0-{line}" if line else ""


def source_page(path: str) -> str:
    """Answer the source of the page that shows a file, or what is in a directory."""
    return f"source/{path}.md"
