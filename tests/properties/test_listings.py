"""Whatever the keys are, their ranges have each of them once."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fake_listing import FakeListing
from tests.strategies import keys
from transforms.listings import KeyRange, advance


@settings(deadline=None, max_examples=200)
@given(
    st.sets(keys() | st.text("ab/", min_size=1, max_size=6), max_size=40), st.integers(1, 5), st.text("ab/", max_size=2)
)
def test_every_key_under_a_prefix_is_listed_once(names: set[str], per_page: int, prefix: str) -> None:
    """In pages of any length."""
    listing, found, left = FakeListing(names, per_page=per_page), list[str](), [KeyRange("b", prefix)]
    while left:
        listed, rest = advance(left.pop(), listing.list_objects_v2)
        found += [each.key for each in listed]
        left += rest

    assert sorted(name for name in names if name.startswith(prefix)) == sorted(found)
