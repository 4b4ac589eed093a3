"""What every store promises; a test class of each kind of store inherits it and has a fixture `store`."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest

from transforms.failures import WriteFailedError
from transforms.result_names import dead_letter_name, result_name
from transforms.stores import PROBE, check_writable

if TYPE_CHECKING:
    from transforms.stores import Store

ROWS = result_name("source-bucket", "logs/2026/a.gz", "etag", ".jsonl")
NAME = result_name("source-bucket", "logs/2026/a.gz", "etag")


class _Broken(io.BytesIO):
    """A file whose second half cannot be read."""

    def read(self, size: int | None = -1) -> bytes:
        """Read, or fail."""
        if self.tell() >= 6_000_000:
            raise OSError("the disk is broken")
        return super().read(size)


class StoreContract:
    """Runs against each implementation."""

    def test_what_is_stored_is_there_whole(self, store: Store) -> None:
        """Also what is empty, or larger than one request's usual part."""
        for document in (b'{"line_count": 3}', b"", b"x" * 6_000_000):
            store.put(NAME, document)

            assert document == store.get(NAME)

    def test_a_file_is_there_whole_and_is_not_listed(self, store: Store) -> None:
        """An empty one, and one of several parts; it is read from its beginning. Only documents are listed."""
        for content in (b"", b"one\ntwo\n", os.urandom(6_000_000)):
            file = io.BytesIO(content)
            file.seek(0, io.SEEK_END)

            store.put_file(ROWS, file)

            assert content == store.get(ROWS)
        assert [] == list(store.names())
        assert (True, False) == (store.exists(ROWS), store.exists(NAME))

    def test_a_file_that_cannot_be_read_leaves_what_was_there(self, store: Store) -> None:
        """Whole or not at all; and nothing half under another name."""
        store.put_file(ROWS, io.BytesIO(b"whole"))

        with pytest.raises((OSError, WriteFailedError), match="the disk is broken"):
            store.put_file(ROWS, _Broken(bytes(12_000_000)))

        assert b"whole" == store.get(ROWS)

    def test_a_repeat_replaces_what_was_there(self, store: Store) -> None:
        """A message may come twice."""
        store.put(NAME, b"a longer document")
        store.put(NAME, b"short")

        assert b"short" == store.get(NAME)
        assert [NAME] == list(store.names())

    def test_only_what_is_stored_exists(self, store: Store) -> None:
        """A folder of the same name is not it."""
        folder = NAME.rpartition("/")[0]

        before = store.exists(NAME)
        store.put(NAME, b"{}")

        assert (False, True, False) == (before, store.exists(NAME), store.exists(f"{folder}/other.json"))

    def test_every_name_that_is_made_can_be_stored_and_listed(self, store: Store) -> None:
        """The longest, the deepest, of other scripts, and beside a folder that is named like a result."""
        names = {
            result_name("b", "k" * 1024, None),
            result_name("b", "日本/" * 146, None),
            result_name("b", "/" * 1024, None),
            result_name("b", "a", None),
            result_name("b", f"{result_name('b', 'a', None)[2:]}/a", None),
            result_name("b", f"{result_name('b', 'a', None, '.jsonl')[2:]}/a", None),
            result_name("b", "a%2Fb+c=d,e@f", None),
            dead_letter_name("059f36b4-87a3-44ab-83d2-661975830a7d", 0),
            dead_letter_name("../odd", 12),
        }

        store.put_file(result_name("b", "a", None, ".jsonl"), io.BytesIO(b"rows"))
        for name in names:
            store.put(name, name.encode())

        assert names == set(store.names())
        assert {name.encode() for name in names} == {store.get(name) for name in names}

    def test_names_are_listed_past_the_first_page(self, store: Store) -> None:
        """Stores list in pages."""
        names = [f"folder/{number}.json" for number in range(1100)]
        for name in names:
            store.put(name, b"{}")

        assert sorted(names) == sorted(store.names())

    def test_an_empty_store_lists_nothing(self, store: Store) -> None:
        """A directory is made when something is stored."""
        assert [] == list(store.names())

    def test_what_is_deleted_is_gone_and_deleting_it_again_is_harmless(self, store: Store) -> None:
        """Two people may redrive at once."""
        store.put(NAME, b"{}")
        store.delete(NAME)
        store.delete(NAME)

        assert not store.exists(NAME)

    def test_reading_what_is_not_there_fails_for_good(self, store: Store) -> None:
        """Asking again does not help."""
        with pytest.raises(WriteFailedError, match=NAME) as caught:
            store.get(NAME)

        assert not list(store.names())
        assert isinstance(caught.value, WriteFailedError)

    def test_a_check_leaves_nothing_behind(self, store: Store) -> None:
        """Start-up stores a small object and removes it."""
        check_writable(store)

        assert not store.exists(PROBE)
        assert [] == list(store.names())
