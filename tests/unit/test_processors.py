"""What the default processing function counts."""

from __future__ import annotations

import pytest

from tests.builders import an_object_ref
from transforms.contents import Fetched
from transforms.processors import count_lines


@pytest.mark.parametrize(
    ("data", "line_count"),
    [(b"", 0), (b"\n", 1), (b"a", 1), (b"a\n", 1), (b"a\nb", 2), (b"a\r\n\r\nb\r\n", 3), (b"\n\n\n", 3)],
)
def test_a_last_line_without_a_newline_counts(data: bytes, line_count: int) -> None:
    """And an empty content has no line."""
    content = Fetched(an_object_ref(), data, size=10)

    assert {"line_count": line_count, "byte_size": len(data)} == count_lines(content)


def test_lines_are_counted_across_chunks() -> None:
    """A stream cuts them anywhere."""
    content = Fetched(an_object_ref(), lambda: iter([b"a", b"b\nc", b"\n", b"d"]), size=10)

    assert {"line_count": 3, "byte_size": 6} == count_lines(content)


def test_lines_of_a_large_content_in_memory_are_counted() -> None:
    """It is compared a MiB at a time."""
    data = b"ab\n" * 1_000_003

    assert {"line_count": 1_000_003, "byte_size": len(data)} == count_lines(Fetched(an_object_ref(), data, size=10))
