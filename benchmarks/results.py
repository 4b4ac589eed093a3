"""What contenders stored, checked: in the stand-in's bucket as it comes, in a directory at the end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class Results:
    """The names that have a result, and how many of the documents were wrong."""

    def __init__(self, expected: tuple[int, int]) -> None:
        """`expected`: lines and bytes that every result must say."""
        self._expected = expected
        self._names: set[bytes] = set()
        self.wrong = 0

    @property
    def stored(self) -> int:
        """How many names have a result."""
        return sum(name.endswith(b".json") for name in self._names)

    def put(self, name: bytes, document: bytes) -> None:
        """Keep the name; a document need not be kept once it is checked."""
        self._names.add(name)
        self.wrong += name.endswith(b".json") and not is_right(document, self._expected)

    def delete(self, name: bytes) -> None:
        """Forget it."""
        self._names.discard(name)

    def has(self, name: bytes) -> bool:
        """Whether it is stored."""
        return name in self._names


def in_directory(directory: Path, expected: tuple[int, int]) -> Results:
    """Check every result under `directory`."""
    results = Results(expected)
    for name, document in _documents(directory):
        results.put(name, document)
    return results


def is_right(document: bytes, expected: tuple[int, int]) -> bool:
    """Whether a result says the lines and bytes that were in the object."""
    try:
        said = json.loads(document)
        return (said["line_count"], said["byte_size"]) == expected
    except (ValueError, KeyError, TypeError):
        return False


def _documents(directory: Path) -> Iterable[tuple[bytes, bytes]]:
    for path in directory.rglob("*.json"):
        yield bytes(path), path.read_bytes()
