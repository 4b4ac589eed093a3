"""Which keys obstore leaves as they are, for every legal key."""

from __future__ import annotations

import contextlib

from hypothesis import example, given, settings
from obstore.store import MemoryStore

from tests.strategies import keys
from transforms.s3_objects import survives_obstore


def asked_for(key: str) -> str | None:
    """Answer the key that obstore makes of `key`; None if it refuses it, or nothing is left of it."""
    store = MemoryStore()
    with contextlib.suppress(ValueError):
        store.put(key, b"")
    return next((entry["path"] for entry in store.list().collect()), None)


@settings(deadline=None, max_examples=500)
@given(keys())
@example("a/.../b")
@example("/")
@example("\n")
@example("\x85")
def test_a_key_goes_by_obstore_only_if_obstore_leaves_it_as_it_is(key: str) -> None:
    """The other way round there is no need to be exact: boto3 reads any key."""
    if survives_obstore(key):
        assert key == asked_for(key)


@settings(deadline=None)
@given(keys().filter(lambda key: key.isprintable()))
def test_a_key_without_control_characters_goes_by_boto3_only_if_it_must(key: str) -> None:
    """It costs ten times as much."""
    assert survives_obstore(key) == (key == asked_for(key))
