"""However content was compressed and however it arrives, it is inflated to itself or refused, never to other bytes."""

from __future__ import annotations

import gzip
import io
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.failures import CorruptGzipError
from transforms.gzip_stream import inflate, inflate_whole

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

UNLIMITED = 2**62

payloads = st.binary(max_size=2000) | st.builds(
    lambda unit, times: unit * times, st.binary(max_size=40), st.integers(0, 9000)
)


def _member(payload: bytes, level: int, strategy: int) -> bytes:
    compressor = zlib.compressobj(level, zlib.DEFLATED, 31, 8, strategy)
    return compressor.compress(payload) + compressor.flush()


def _named(payload: bytes) -> bytes:
    file = io.BytesIO()
    with gzip.GzipFile(filename="2026/01/02.log", fileobj=file, mode="wb", mtime=1) as member:
        member.write(payload)
    return file.getvalue()


def members(payload: SearchStrategy[bytes]) -> SearchStrategy[tuple[bytes, bytes]]:
    """Draw a payload and a gzip member of it, of any compression level and strategy."""
    plain = st.builds(
        lambda data, level, strategy: (data, _member(data, level, strategy)),
        payload,
        st.integers(0, 9),
        st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE]),
    )
    return plain | payload.map(lambda data: (data, _named(data)))


def _chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def _outcome(chunks: list[bytes]) -> bytes | None:
    """Inflate both ways, which must agree; None if it is refused."""
    try:
        content = b"".join(inflate(chunks, max_bytes=UNLIMITED))
    except CorruptGzipError:
        with pytest.raises(CorruptGzipError):
            inflate_whole(b"".join(chunks), limit=UNLIMITED)
        return None
    assert content == inflate_whole(b"".join(chunks), limit=UNLIMITED)
    return content


@settings(deadline=None, max_examples=300)
@given(
    parts=st.lists(st.tuples(members(payloads), st.integers(0, 600)), min_size=1, max_size=6),
    cuts=st.lists(st.integers(0, 2**20), max_size=12),
)
def test_any_members_padding_and_chunks_inflate_to_the_payloads(
    parts: list[tuple[tuple[bytes, bytes], int]], cuts: list[int]
) -> None:
    """And as Python's own gzip reads them."""
    data = b"".join(member + bytes(padding) for (_, member), padding in parts)

    assert b"".join(payload for (payload, _), _ in parts) == _outcome(_chunked(data, cuts)) == gzip.decompress(data)


@settings(deadline=None, max_examples=300)
@given(
    data=st.binary(max_size=300).filter(lambda data: not data.startswith(b"\x1f\x8b")),
    cuts=st.lists(st.integers(0, 300)),
)
def test_what_is_not_gzip_is_left_alone(data: bytes, cuts: list[int]) -> None:
    """Wherever it is cut."""
    assert data == _outcome(_chunked(data, cuts))


@settings(deadline=None, max_examples=300)
@given(
    drawn=st.lists(members(payloads), min_size=1, max_size=3),
    cut=st.integers(2, 2**20),
    cuts=st.lists(st.integers(0, 2**20), max_size=4),
)
def test_a_file_cut_anywhere_is_refused_or_ends_with_a_member(
    drawn: list[tuple[bytes, bytes]], cut: int, cuts: list[int]
) -> None:
    """Between two members it is a whole file, as far as anybody can tell."""
    data = b"".join(member for _, member in drawn)
    cut_short = data[: 2 + cut % (len(data) - 2)]
    ends = {}
    for number in range(1, len(drawn)):
        ends[sum(len(member) for _, member in drawn[:number])] = b"".join(payload for payload, _ in drawn[:number])

    assert ends.get(len(cut_short)) == _outcome(_chunked(cut_short, cuts))


@settings(deadline=None, max_examples=600)
@given(
    drawn=members(payloads),
    flips=st.lists(st.integers(16, 2**20), min_size=1, max_size=3),
    cuts=st.lists(st.integers(0, 2**20), max_size=4),
)
def test_flipped_bits_are_refused_or_change_nothing(
    drawn: tuple[bytes, bytes], flips: list[int], cuts: list[int]
) -> None:
    """Time, system and name in a header are outside every checksum. The magic bytes stay, or it is no gzip."""
    payload, member = drawn
    damaged = bytearray(member)
    for flip in flips:
        bit = 16 + flip % (len(member) * 8 - 16)
        damaged[bit // 8] ^= 1 << bit % 8

    assert _outcome(_chunked(bytes(damaged), cuts)) in {payload, None}


@settings(deadline=None, max_examples=300)
@given(noise=st.binary(max_size=400), after=members(payloads) | st.just((b"", b"")))
def test_noise_never_raises_anything_undeclared(noise: bytes, after: tuple[bytes, bytes]) -> None:
    """Behind the magic bytes, or behind a sound member."""
    _outcome([b"\x1f\x8b\x08" + noise])
    _outcome([after[1] + noise])


@settings(deadline=None, max_examples=200)
@given(drawn=st.lists(members(payloads), min_size=1, max_size=4), limit=st.integers(0, 20_000))
def test_a_limit_is_exact(drawn: list[tuple[bytes, bytes]], limit: int) -> None:
    """All or nothing."""
    content = b"".join(payload for payload, _ in drawn)
    whole = inflate_whole(b"".join(member for _, member in drawn), limit=limit)

    assert (content if len(content) <= limit else None) == whole
