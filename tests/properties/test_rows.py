"""Rows come out of their file as they went in."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import an_object_ref
from tests.strategies import json_values
from transforms.documents import row_line
from transforms.failures import BadResultError
from transforms.rows import draw, spool_for

if TYPE_CHECKING:
    from collections.abc import Iterable

sayable = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
rows_of_json = st.lists(st.dictionaries(st.text(), sayable, max_size=4), max_size=20)


def _lines(rows: Iterable[dict[str, Any]]) -> tuple[dict[str, Any], list[bytes]]:
    spool = spool_for(rows, an_object_ref())
    assert spool is not None
    fields = draw(rows, spool)
    content = spool.rewound().read()
    spool.close()
    assert not content or content.endswith(b"\n")
    assert len(content) == fields["rows"]["bytes"]
    return fields["rows"], content.split(b"\n")[:-1]


@settings(deadline=None)
@given(rows_of_json)
def test_any_mappings_of_json_come_back_as_they_were(rows: list[dict[str, Any]]) -> None:
    """In their order, one a line, whatever line breaks are in them."""
    where, lines = _lines(iter(rows))

    assert (len(rows), rows) == (where["count"], [json.loads(line) for line in lines])


@settings(deadline=None)
@given(st.dictionaries(st.text(), json_values(), max_size=4))
def test_what_is_taken_for_a_row_is_one_and_the_rest_is_a_bad_result(row: dict[str, Any]) -> None:
    """Nothing else is raised, and never something that is not JSON stored."""
    try:
        line = row_line(row, 1)
    except BadResultError:
        return
    read = json.loads(line, parse_constant=_no_json)

    assert 1 == line.count(b"\n")
    assert row.keys() == read.keys()


def _no_json(constant: str) -> float:
    assert not constant, "NaN is no JSON"
    return math.nan
