"""The processing functions that come with the job; yours can be anywhere, see `--processor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transforms.contents import Fetched


def count_lines(content: Fetched) -> dict[str, int]:
    """Answer `line_count` (newlines, plus one for a last line without one) and `byte_size` of the inflated content."""
    newlines = size = 0
    last = b"\n"
    for chunk in content.chunks():
        newlines += chunk.count(b"\n")
        size += len(chunk)
        last = chunk[-1:]
    return {"line_count": newlines + (last != b"\n"), "byte_size": size}
