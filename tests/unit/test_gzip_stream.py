"""What counts as gzip, what a whole gzip file is, and how much memory it may take."""

from __future__ import annotations

import gzip
import os
import struct
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest

from transforms.failures import CorruptGzipError, TooLargeError
from transforms.gzip_stream import PIECE_BYTES, inflate, inflate_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1024 * 1024
LINE = b"2026-01-02T03:04:05Z GET /index.html 200\n"
WHOLE = gzip.compress(LINE * 100, mtime=0)


def _streamed(data: bytes) -> bytes:
    return b"".join(inflate([data], max_bytes=100 * MIB))


def _at_once(data: bytes) -> bytes:
    content = inflate_whole(data, limit=100 * MIB)
    assert content is not None
    return content


both = pytest.mark.parametrize("inflated", [_streamed, _at_once])


def _member(payload: bytes, *, flags: int, name: bytes = b"a.log") -> bytes:
    """Build a member with every optional header field that `flags` asks for."""
    header = struct.pack("<BBBBLBB", 0x1F, 0x8B, 8, flags, 0, 0, 255)
    header += struct.pack("<H", 4) + b"more" if flags & 4 else b""
    header += name + b"\0" if flags & 8 else b""
    header += b"a comment\0" if flags & 16 else b""
    header += struct.pack("<H", zlib.crc32(header) & 0xFFFF) if flags & 2 else b""
    deflated = zlib.compress(payload, wbits=-15)
    return header + deflated + struct.pack("<LL", zlib.crc32(payload), len(payload))


@both
@pytest.mark.parametrize("data", [b"", b"\x1f", b"\x1fx", b"\n", b"plain text\n", b"PK\x03\x04", b"\x8b\x1f", LINE])
def test_what_does_not_begin_with_the_magic_bytes_passes_through(
    inflated: Callable[[bytes], bytes], data: bytes
) -> None:
    """The first bytes decide, not a name or a header."""
    assert data == inflated(data)


@both
def test_every_member_of_a_file_is_read(inflated: Callable[[bytes], bytes]) -> None:
    """The logs of AWS's load balancers are such files; readers that stop early lose most of them."""
    members = b"".join(gzip.compress(LINE * number) for number in range(20))

    assert LINE * sum(range(20)) == inflated(members)


@both
@pytest.mark.parametrize("flags", range(32))
def test_every_optional_header_field_is_understood(inflated: Callable[[bytes], bytes], flags: int) -> None:
    """Text flag, header checksum, extra field, name, comment."""
    assert LINE == inflated(_member(LINE, flags=flags))


@both
@pytest.mark.parametrize("padding", [1, 7, 512, 2 * MIB])
def test_zero_bytes_after_a_member_are_padding(inflated: Callable[[bytes], bytes], padding: int) -> None:
    """Tapes and block devices leave them."""
    padded = WHOLE + bytes(padding)

    assert LINE * 100 == inflated(padded)
    assert LINE * 200 == inflated(padded + WHOLE)


@both
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(WHOLE + b"x", id="one more byte"),
        pytest.param(WHOLE + b"trailing text that is no member\n", id="text after the last member"),
        pytest.param(WHOLE + bytes(10) + b"x", id="text after padding"),
        pytest.param(WHOLE + WHOLE[:9], id="a header cut short"),
        pytest.param(WHOLE + b"\x1f", id="half the magic bytes of a next member"),
        pytest.param(WHOLE[:-1], id="the trailer cut short"),
        pytest.param(WHOLE[:-8], id="no trailer"),
        pytest.param(WHOLE[:20], id="half a member"),
        pytest.param(WHOLE[:2], id="only magic bytes"),
        pytest.param(WHOLE[:2] + b"\x07" + WHOLE[3:], id="a method that is not deflate"),
        pytest.param(WHOLE[:-8] + bytes(4) + WHOLE[-4:], id="wrong checksum"),
        pytest.param(WHOLE[:-4] + bytes(4), id="wrong length"),
        pytest.param(WHOLE[:-4] + bytes(4) + WHOLE, id="wrong length of a first member"),
        pytest.param(_member(LINE, flags=2).replace(b"\xff", b"\x03", 1), id="wrong checksum of a header"),
        pytest.param(WHOLE[:10] + b"\xff" * 100, id="no deflate"),
    ],
)
def test_anything_else_is_corruption(inflated: Callable[[bytes], bytes], data: bytes) -> None:
    """Never some bytes of it as if they were all."""
    with pytest.raises(CorruptGzipError, match=r"not a valid gzip file: .+"):
        inflated(data)


def test_magic_bytes_may_arrive_one_at_a_time() -> None:
    """Empty chunks too."""
    chunks = [b"", *(bytes([byte]) for byte in WHOLE), b""]

    assert LINE * 100 == b"".join(inflate(chunks, max_bytes=MIB))


def test_nothing_yielded_is_empty() -> None:
    """So that a processor may look at a chunk's last byte."""
    assert [] == list(inflate([b"", b""], max_bytes=MIB))
    assert [b"ab", b"c"] == list(inflate([b"", b"a", b"", b"b", b"c"], max_bytes=MIB))
    assert [] == list(inflate([gzip.compress(b"")], max_bytes=MIB))


@pytest.mark.parametrize("data", [WHOLE, LINE * 100], ids=["gzip", "not gzip"])
def test_a_content_as_large_as_the_limit_is_not_too_large(data: bytes) -> None:
    """One byte less and it is; the sentence has both values and the option."""
    size = len(LINE * 100)

    assert LINE * 100 == b"".join(inflate([data], max_bytes=size))
    assert LINE * 100 == inflate_whole(data, limit=size)
    assert inflate_whole(data, limit=size - 1) is None
    with pytest.raises(TooLargeError, match=r"--max_object_bytes is 4,099; the inflated content has at least 4,100"):
        list(inflate([data], max_bytes=size - 1))


@pytest.mark.parametrize("announced", [0, 1, 2**32 - 1])
def test_the_length_that_a_file_announces_is_not_believed(announced: int) -> None:
    """Neither for how much there is, nor for whether it is whole."""
    lie = gzip.compress(LINE * 10_000)[:-4] + struct.pack("<L", announced)

    assert inflate_whole(lie, limit=MIB // 4) is None
    with pytest.raises(CorruptGzipError):
        inflate_whole(lie, limit=MIB)


def test_what_announces_more_than_the_limit_is_not_inflated_in_vain() -> None:
    """Whoever reads it as a stream sees whether that was true."""
    lie = gzip.compress(LINE * 10_000)[:-4] + struct.pack("<L", MIB)

    assert inflate_whole(lie, limit=MIB - 1) is None
    with pytest.raises(CorruptGzipError):
        list(inflate([lie], max_bytes=MIB))


@pytest.mark.parametrize(
    ("data", "reserved"),
    [
        (gzip.compress(LINE), [len(LINE)]),
        (gzip.compress(LINE) * 2, [len(LINE), MIB - len(LINE)]),
        (LINE, []),
    ],
    ids=["one member", "two members", "no gzip"],
)
def test_memory_is_reserved_before_it_is_filled(data: bytes, reserved: list[int]) -> None:
    """As much as a file of one member announces; for all others, whose sum nobody announces, as much as may be."""
    asked: list[int] = []

    def reserve(size: int) -> bool:
        asked.append(size)
        return True

    assert inflate_whole(data, limit=MIB, reserve=reserve) is not None
    assert reserved == asked
    for refused in reserved:
        assert inflate_whole(data, limit=MIB, reserve=lambda size, refused=refused: size != refused) is None


def test_a_bomb_is_inflated_in_small_pieces_until_it_is_too_large() -> None:
    """A thousand to one, and never more than one piece of it in memory."""
    bomb = gzip.compress(bytes(64 * MIB))
    sizes: list[int] = []

    with pytest.raises(TooLargeError):
        sizes.extend(len(piece) for piece in inflate([bomb], max_bytes=32 * MIB))

    assert max(sizes, default=0) <= PIECE_BYTES
    assert inflate_whole(bomb, limit=MIB) is None


def test_a_bomb_does_not_fill_memory() -> None:
    """Neither streamed nor at once."""
    bomb = gzip.compress(bytes(64 * MIB))

    assert 64 * MIB == sum(map(len, inflate([bomb], max_bytes=64 * MIB)))
    tracemalloc.start()
    try:
        for _ in inflate([bomb], max_bytes=64 * MIB):
            pass
        inflate_whole(bomb, limit=MIB)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * MIB


@both
def test_a_hundred_thousand_empty_members_are_a_small_file(inflated: Callable[[bytes], bytes]) -> None:
    """Twenty bytes each; to copy the rest of the file for every one of them would take a hundred gigabytes."""
    assert LINE == inflated(gzip.compress(b"", mtime=0) * 100_000 + gzip.compress(LINE))


def test_a_header_without_an_end_does_not_fill_memory() -> None:
    """A file name in it ends at a zero byte, which may never come."""
    served = 0

    def chunks() -> Iterator[bytes]:
        nonlocal served
        yield b"\x1f\x8b\x08\x08" + bytes(6)
        for _ in range(100):
            served += MIB // 4
            yield b"n" * (MIB // 4)

    with pytest.raises(CorruptGzipError, match="header"):
        list(inflate(chunks(), max_bytes=100 * MIB))
    assert served <= MIB
    with pytest.raises(CorruptGzipError, match="header"):
        inflate_whole(b"".join(chunks()) + b"\x01" * 4, limit=100 * MIB)


@both
def test_a_long_header_is_skipped_whole(inflated: Callable[[bytes], bytes]) -> None:
    """Up to half a MiB, wherever a buffer ends."""
    data = _member(os.urandom(MIB), flags=0) + _member(LINE, flags=8, name=b"n" * (MIB // 2 - 100))

    assert LINE == inflated(data)[MIB:]


def test_incompressible_content_is_read_to_its_end() -> None:
    """Deflate stores it as it is."""
    noise = os.urandom(3 * MIB)

    assert noise == _streamed(gzip.compress(noise))
    assert noise == _at_once(gzip.compress(noise))
