"""Whatever a key or a message id is, its name is safe and its own."""

from __future__ import annotations

import unicodedata
from pathlib import PurePosixPath, PureWindowsPath

import obstore
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from tests.strategies import buckets, keys
from transforms.result_names import MAX_NAME_BYTES, MAX_SEGMENT_BYTES, dead_letter_name, result_name

untrusted = st.text(st.characters(exclude_categories=[]), max_size=1200)
SUFFIXES = (".json", ".jsonl", ".parquet", f".{'x' * 31}")
etags = st.none() | st.text(max_size=40)


def assert_safe(name: str) -> None:
    """Check what every store and file system asks of a name, and what we ask of it."""
    parts = name.split("/")
    assert name.endswith(SUFFIXES)
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert max(len(part.encode()) for part in parts) <= MAX_SEGMENT_BYTES
    assert not {"", ".", ".."} & set(parts)
    assert name.isprintable()
    assert " " not in name
    assert tuple(parts) == PurePosixPath(name).parts
    assert tuple(parts) == PureWindowsPath(name).parts
    assert not [part for part in parts if part.endswith(".") or PureWindowsPath(part).is_reserved()]
    assert not [part for part in parts[:-1] if folded(part).endswith((".json", ".tmp"))]


def folded(text: str) -> str:
    """Fold as a file system that ignores case and normal form."""
    return unicodedata.normalize("NFKD", text).casefold()


@settings(deadline=None)
@given(buckets() | untrusted.filter(bool), keys() | untrusted, etags)
def test_every_result_has_a_safe_name(bucket: str, key: str, etag: str | None) -> None:
    """Legal names and arbitrary text alike."""
    name = result_name(bucket.replace("/", ""), key, etag)

    assert_safe(name)
    assert not name.startswith("_dead_letters/")
    for suffix in SUFFIXES:
        assert_safe(result_name(bucket.replace("/", ""), key, etag, suffix))


@settings(deadline=None)
@given(untrusted, st.integers(0, 10_000))
def test_every_dead_letter_has_a_safe_name_without_folders(message_id: str, index: int) -> None:
    """A message id is whatever a producer of replays writes."""
    name = dead_letter_name(message_id, index)

    assert_safe(name)
    assert "/" not in name


identities = st.tuples(buckets(), keys(), etags)


@settings(deadline=None)
@given(identities, identities)
def test_two_results_have_the_same_name_only_if_they_are_one(
    one: tuple[str, str, str | None], other: tuple[str, str, str | None]
) -> None:
    """On a file system that ignores case and normal form too."""
    assert (one == other) == (folded(result_name(*one)) == folded(result_name(*other)))


@settings(deadline=None)
@given(st.tuples(untrusted, st.integers(0, 99)), st.tuples(untrusted, st.integers(0, 99)))
def test_two_dead_letters_have_the_same_name_only_if_they_are_one(one: tuple[str, int], other: tuple[str, int]) -> None:
    """The same."""
    assert (one == other) == (folded(dead_letter_name(*one)) == folded(dead_letter_name(*other)))


@settings(deadline=None)
@given(buckets(), keys(), st.data())
def test_no_result_stands_where_a_folder_has_to_be(bucket: str, key: str, data: st.DataObject) -> None:
    """Not even if somebody names a folder after a result."""
    name = result_name(bucket, key, None, data.draw(st.sampled_from(SUFFIXES)))
    below = data.draw(st.sampled_from([name.partition("/")[2], f"{key}", name.rpartition("/")[2]]))

    folders = folded(result_name(bucket, f"{below}/x", None)).split("/")[:-1]

    assert folded(name).split("/") != folders


@settings(deadline=None)
@given(buckets(), keys(), etags)
def test_obstore_takes_every_name_as_it_is(bucket: str, key: str, etag: str | None) -> None:
    """It changes or refuses some keys; never these."""
    store = MemoryStore()
    name = result_name(bucket, key, etag)

    obstore.put(store, name, b"{}")

    assert [name] == [item["path"] for batch in store.list() for item in batch]
