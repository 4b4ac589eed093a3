"""A file that a processing function returns instead of rows, in a format of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_SUFFIX_CHARS = 32

_SUFFIX = re.compile(r"(\.[a-z0-9]+){1,3}")
"""Lower case: there are file systems that ignore it."""
_TAKEN = (".json", ".tmp")
"""How the names of documents and of temporary files end."""


@dataclass(frozen=True, slots=True)
class File:
    """What is stored beside the result: its bytes, piece by piece, and how its name ends.

    Raises `ValueError` for a suffix that is none, like `parquet`, or that is taken, like `.json`.
    """

    suffix: str
    """For example `.parquet` or `.csv.gz`."""
    chunks: bytes | Iterable[bytes]
    """The content, in any number of pieces of any size; drawn once, after the function has returned."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the result, looked at after the last chunk: what is counted on the way can be among them."""

    def __post_init__(self) -> None:
        """Look at the suffix where the user's code is still to be seen in the traceback."""
        if len(self.suffix) > MAX_SUFFIX_CHARS or not _SUFFIX.fullmatch(self.suffix):
            raise ValueError(f"{self.suffix!r} is no suffix: write it as .parquet, in lower case, or as .csv.gz")
        if self.suffix.endswith(_TAKEN):
            raise ValueError(f"{self.suffix!r} is the suffix of the job's own files; choose another, like .jsonl")
