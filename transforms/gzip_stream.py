"""Inflates gzip in bounded memory, and believes nothing that its checksums do not say.

What does not begin with gzip's two magic bytes passes through unchanged. A gzip file is all its members (the logs of
AWS's load balancers have many); zero bytes after a member are padding, as they are to Python's `gzip`; anything else
after it is corruption, and so is an end before its time. CRC and length of every member are checked.
"""

from __future__ import annotations

import gzip
import io
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, cast

from isal import igzip, isal_zlib

from transforms.failures import CorruptGzipError, TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _typeshed import WriteableBuffer

GZIP_MAGIC = b"\x1f\x8b"
MAX_EXPANSION = 1032
"""How many bytes one byte of deflate can become at most."""
PIECE_BYTES = 256 * 1024
"""Inflated bytes handed out at a time: larger pieces are not faster."""

_ISAL_ERROR = cast("type[Exception]", isal_zlib.IsalError)  # isal's types call it an instance
_INVALID = (EOFError, gzip.BadGzipFile, OverflowError, _ISAL_ERROR)
"""OverflowError: a header over 512 KiB, for its file name may have no end."""


def is_gzip(data: bytes) -> bool:
    """Whether content that begins with `data` (two bytes or more) is gzip."""
    return data.startswith(GZIP_MAGIC)


def inflate(chunks: Iterable[bytes], *, max_bytes: int) -> Iterator[bytes]:
    """Yield the content of a stored object, inflated if it is gzip, in pieces that are never empty.

    Gzip comes in pieces of at most `PIECE_BYTES`, however much it expands; other content in `chunks` as they are.
    Raises `CorruptGzipError`, and `TooLargeError` once there are more than `max_bytes` inflated bytes.
    """
    stored: Iterator[bytes] = filter(None, chunks)
    head = next(stored, b"")
    while len(head) < len(GZIP_MAGIC) and (chunk := next(stored, b"")):
        head += chunk
    stored = chain(filter(None, (head,)), stored)
    inflated = 0
    for piece in _inflate_members(_Feed(stored), PIECE_BYTES) if is_gzip(head) else stored:
        inflated += len(piece)
        if inflated > max_bytes:
            raise TooLargeError(f"--max_object_bytes is {max_bytes:,}; the inflated content has at least {inflated:,}")
        yield piece


def inflate_whole(data: bytes, *, limit: int, reserve: Callable[[int], bool] = lambda _: True) -> bytes | None:
    """Inflate an object that is in memory at once, or answer None if it has more than `limit` inflated bytes.

    `reserve` is asked before so many bytes more are made; if it says no, the answer is None, too.
    Raises `CorruptGzipError` where `inflate` does, but not for what comes after `limit`, which may be announced by lie.
    """
    if not is_gzip(data):
        return data if len(data) <= limit else None
    announced = int.from_bytes(data[-4:], "little")  # the length of the last member, unless the file is cut
    if limit < announced <= len(data) * MAX_EXPANSION:
        return None
    expected = min(announced, limit)
    if not reserve(expected):
        return None
    member = isal_zlib.decompressobj(wbits=31)  # most files have one, and one call costs half of a file object
    content = b""
    with suppress(_ISAL_ERROR):
        content = member.decompress(data, expected + 1)
    if member.eof and not member.unused_data and len(content) <= expected:
        return content
    return _inflate_all(data, limit) if reserve(limit - expected) else None


def _inflate_all(data: bytes, limit: int) -> bytes | None:
    whole = io.BytesIO()
    for piece in _inflate_members(io.BytesIO(data), min(limit, PIECE_BYTES) + 1):
        whole.write(piece)
        if whole.tell() > limit:
            return None
    return whole.getvalue()


def _inflate_members(stored: io.RawIOBase | io.BytesIO, piece_bytes: int) -> Iterator[bytes]:
    # Not decompressobj: its tails are copied for every member, which takes hours for a file of tiny members.
    with igzip.IGzipFile(fileobj=stored, mode="rb") as members:
        try:
            while piece := members.read1(piece_bytes):
                yield piece
        except _INVALID as error:
            raise CorruptGzipError(f"not a valid gzip file: {error}") from error


class _Feed(io.RawIOBase):
    """Chunks as the file that `IGzipFile` reads."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readinto(self, buffer: WriteableBuffer) -> int:
        wanted = memoryview(buffer)
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        taken = self._rest[: len(wanted)]
        wanted[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        return len(taken)
