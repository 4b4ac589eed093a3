"""Cuts content into lines, in memory that one line bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transforms.failures import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SPLIT_BYTES = 64 * 1024
"""Cut at once: a line of one byte costs more than forty in Python, so never all lines of a large chunk."""


def split_lines(chunks: Iterable[bytes], *, max_line_bytes: int) -> Iterator[bytes]:
    r"""Yield lines without their `\n`; a last line without one counts, and a `\r` stays.

    Raises `TooLargeError` for a line of more than `max_line_bytes`.
    """
    begun: list[bytes] = []
    begun_bytes = 0
    for piece in _pieces(chunks):
        *lines, rest = piece.split(b"\n")
        for line in lines:
            if begun_bytes + len(line) > max_line_bytes:
                raise _too_long(max_line_bytes)
            yield b"".join((*begun, line)) if begun else line
            begun.clear()
            begun_bytes = 0
        if rest:
            begun.append(rest)
            begun_bytes += len(rest)
        if begun_bytes > max_line_bytes:
            raise _too_long(max_line_bytes)
    if begun:
        yield b"".join(begun)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for start in range(0, len(chunk), SPLIT_BYTES):
            yield chunk[start : start + SPLIT_BYTES]


def _too_long(max_line_bytes: int) -> TooLargeError:
    return TooLargeError(f"--max_read_bytes is {max_line_bytes:,} and a line is longer: read the content with chunks()")
