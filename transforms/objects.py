"""Source objects as the steps see them: open one, read its bytes as they are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.records import ObjectRef


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What the store says of an object it is about to send."""

    etag: str | None
    """Without quotes."""
    version_id: str | None
    size: int
    """Bytes of the whole object as stored."""


class OpenObject(Protocol):
    """An object whose headers have arrived and whose body has not been read."""

    info: ObjectInfo

    def chunks(self) -> Iterator[bytes]:
        """Read the rest in pieces, never more than was announced.

        Raises a `RecordError`: fewer bytes than announced, or more, is `BrokenTransferError`, and what does not end in
        time `TimedOutError`.
        """


class Objects(Protocol):
    """Where source objects come from. Safe to call from several threads."""

    def open(self, ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> OpenObject:
        """Open `ref` (its version, if it names one) from byte `offset`; `if_match` is an ETag without quotes.

        Raises a `RecordError`: `ObjectGoneError` (also where `if_match` does not match any more),
        `ForbiddenError`, `BucketGoneError`, `ArchivedError`, `ThrottledError`, `UnavailableError`, `TimedOutError`.
        """
