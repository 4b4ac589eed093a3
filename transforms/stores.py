"""Where results and dead letters go: complete, in place for every reader, safe from a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Store(Protocol):
    """Named documents. Names are relative, `/`-separated paths made by `result_names.py`.

    Safe to call from several threads. Every call raises `WriteFailedError`, `permanent` if asking again cannot help.
    """

    is_remote: bool
    """Whether a call waits on a network (so a pool should make it)."""

    def put(self, name: str, document: bytes) -> None:
        """Store `document` whole or not at all, replacing what was there."""

    def exists(self, name: str) -> bool:
        """Whether `name` is stored."""

    def get(self, name: str) -> bytes:
        """Read `name` whole."""

    def delete(self, name: str) -> None:
        """Remove `name`; no error if it is not there."""

    def names(self) -> Iterator[str]:
        """List every stored name that ends in `.json`, in no order."""
