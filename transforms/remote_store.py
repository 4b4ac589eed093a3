"""Results in a store that obstore knows: S3, Google Cloud Storage, Azure, or this process's memory."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import IO, TYPE_CHECKING, TypeVar

import obstore

from transforms.failures import BucketGoneError, ForbiddenError, WriteFailedError
from transforms.s3_answers import OBSTORE_ERRORS, is_wrong_region
from transforms.s3_errors import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from obstore import ObjectMeta
    from obstore.store import ObjectStore

T = TypeVar("T")

PART_BYTES = 5 * 1024 * 1024
"""Of a large file, sent at a time: the least that S3 takes. Two of them are in memory, one read and one sent."""
MAX_PARTS = 10_000
"""Of one file (S3); the parts of a file of more than 48 GiB are larger."""


class RemoteStore:
    """Implements `stores.Store`. Retries are the client's."""

    is_remote = True

    def __init__(self, url: str, store: ObjectStore, *, move: Callable[[], ObjectStore | None] | None = None) -> None:
        """`url` is shown to people; `move` answers the store in the right region when S3 says that this is not it."""
        self._url = url.rstrip("/")
        self._store = store
        self._move = move

    def put(self, name: str, document: bytes) -> None:
        """Store `document` in one request."""
        attributes = {"Content-Type": "application/json"}
        self._ask(
            "write",
            name,
            lambda store: obstore.put(store, name, document, attributes=attributes, use_multipart=False),
        )

    def put_file(self, name: str, file: IO[bytes]) -> None:
        """Store all of `file`, in parts if it is large; what was sent is taken back if a part fails."""
        size = file.seek(0, os.SEEK_END)
        part_bytes = max(PART_BYTES, -(-size // MAX_PARTS))

        def upload(store: ObjectStore) -> None:
            file.seek(0)
            obstore.put(store, name, file, chunk_size=part_bytes, max_concurrency=1)

        self._ask("write", name, upload)

    def exists(self, name: str) -> bool:
        """Whether `name` is stored."""

        def is_there(store: ObjectStore) -> bool:
            try:
                obstore.head(store, name)
            except FileNotFoundError:
                return False
            return True

        return self._ask("look for", name, is_there)

    def get(self, name: str) -> bytes:
        """Read `name` whole."""
        return self._ask("read", name, lambda store: bytes(obstore.get(store, name).bytes()))

    def delete(self, name: str) -> None:
        """Remove `name`, if it is there."""

        def remove(store: ObjectStore) -> None:
            with suppress(FileNotFoundError):
                obstore.delete(store, name)

        self._ask("delete", name, remove)

    def names(self) -> Iterator[str]:
        """List every name that ends in `.json`."""
        page, pages = self._ask("list", "", _first_page)
        while page is not None:
            yield from (entry["path"] for entry in page if entry["path"].endswith(".json"))
            page = self._ask("list", "", lambda _: next(pages, None))

    def _ask(self, action: str, name: str, call: Callable[[ObjectStore], T]) -> T:
        """Call the store, once more if it turns out to be elsewhere. Raises `WriteFailedError`."""
        try:
            try:
                return call(self._store)
            except OBSTORE_ERRORS as error:
                moved = self._move() if self._move and is_wrong_region(error) else None
                if moved is None:
                    raise
                self._store = moved
                return call(moved)
        except OBSTORE_ERRORS as error:
            explained = explain(error, f"{self._url}/{name}")
            failed = WriteFailedError(f"cannot {action} {explained.detail}")
            # Writing to what is not found, or reading it, will not do better next time.
            failed.permanent = isinstance(explained, (ForbiddenError, BucketGoneError)) or isinstance(
                error, FileNotFoundError
            )
            raise failed from error


def _first_page(store: ObjectStore) -> tuple[Sequence[ObjectMeta] | None, Iterator[Sequence[ObjectMeta]]]:
    """Begin a list; nothing is asked before its first page is."""
    pages = iter(obstore.list(store))
    return next(pages, None), pages
