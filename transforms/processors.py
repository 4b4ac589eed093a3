"""The processing functions that come with the job; yours can be anywhere, see `--processor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transforms.contents import Fetched

_NEWLINE = ord("\n")
_AT_ONCE_BYTES = 1024 * 1024
"""What is compared at once; the comparison takes as many bytes again."""


def count_lines(content: Fetched) -> dict[str, int]:
    """Answer `line_count` (newlines, plus one for a last line without one) and `byte_size` of the inflated content."""
    newlines = size = 0
    last = b"\n"
    for chunk in content.chunks():
        newlines += _newlines(chunk)
        size += len(chunk)
        last = chunk[-1:]
    return {"line_count": newlines + (last != b"\n"), "byte_size": size}


def _newlines(chunk: bytes) -> int:
    """Count with numpy, which Beam brings along: `bytes.count` takes five times as long, as long as inflating."""
    array = np.frombuffer(chunk, np.uint8)
    pieces = (array[start : start + _AT_ONCE_BYTES] for start in range(0, len(array), _AT_ONCE_BYTES))
    return sum(int(np.count_nonzero(piece == _NEWLINE)) for piece in pieces)
