"""Where a line begins and ends, and how long it may be."""

from __future__ import annotations

import io

import pytest

from transforms.failures import TooLargeError
from transforms.lines import SPLIT_BYTES, split_lines


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([], []),
        ([b"\n"], [b""]),
        ([b"a"], [b"a"]),
        ([b"a\n"], [b"a"]),
        ([b"a\n\n", b"\nb"], [b"a", b"", b"", b"b"]),
        ([b"a\r\n", b"b\rc\x0bd\x85\xe2\x80\xa8\n"], [b"a\r", b"b\rc\x0bd\x85\xe2\x80\xa8"]),
        ([b"a", b"b", b"c\nd", b"\n"], [b"abc", b"d"]),
    ],
)
def test_only_a_newline_ends_a_line(chunks: list[bytes], lines: list[bytes]) -> None:
    """And the last one needs none."""
    assert lines == list(split_lines(chunks, max_line_bytes=10))


def test_large_chunks_give_the_lines_that_a_file_would() -> None:
    """They are cut into smaller pieces first."""
    data = b"".join(b"x" * (number * 37 % 5000) + b"\n" for number in range(500))
    assert len(data) > 10 * SPLIT_BYTES

    assert [line.rstrip(b"\n") for line in io.BytesIO(data)] == list(split_lines([data], max_line_bytes=5000))


@pytest.mark.parametrize("chunks", [[b"12345\n"], [b"12345"], [b"123", b"45\n"], [b"ok\n123", b"45"]])
def test_a_line_over_the_limit_is_refused_with_the_way_out(chunks: list[bytes]) -> None:
    """One as long as the limit is not."""
    assert b"12345" == list(split_lines(chunks, max_line_bytes=5))[-1]
    with pytest.raises(TooLargeError, match=r"--max_read_bytes is 4 and a line is longer: .* chunks\(\)"):
        list(split_lines(chunks, max_line_bytes=4))


def test_a_line_without_an_end_is_refused_before_it_fills_memory() -> None:
    """As soon as it is over the limit."""
    chunks = iter([b"x"] * 100)

    with pytest.raises(TooLargeError):
        list(split_lines(chunks, max_line_bytes=10))
    assert 100 - 11 == len(list(chunks))
