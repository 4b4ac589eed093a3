"""A large object's stored bytes, which outlive the connections they come through."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.failures import (
    BrokenTransferError,
    ObjectGoneError,
    RecordError,
    ThrottledError,
    TimedOutError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transforms.objects import Objects, OpenObject
    from transforms.records import ObjectRef

MAX_RESUMPTIONS = 5
"""In a row, without progress between them."""
PROGRESS_BYTES = 1024 * 1024
"""What must arrive for the count of resumptions to begin anew."""
PAUSE_BASE_S = 0.1
PAUSE_MAX_S = 2.0

_PASSING = (BrokenTransferError, TimedOutError, UnavailableError, ThrottledError)


@dataclass(frozen=True, slots=True)
class Download:
    """The stored bytes of one object, read from the beginning by each iteration. Pickles if `connect` does.

    A transfer that breaks goes on where it broke. `etag` (without quotes) says that it is still the same object:
    without one, and without a version, nothing does, and a broken transfer stays broken.
    """

    connect: Callable[[], Objects]
    ref: ObjectRef
    etag: str | None
    pause: Callable[[float], None] = time.sleep
    """Waits so many seconds before a resumption."""
    max_resumptions: int = MAX_RESUMPTIONS

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes, as `chunks`."""
        return self.chunks()

    def chunks(self, opened: OpenObject | None = None) -> Iterator[bytes]:
        """Yield the bytes, first those of `opened` if there is one.

        Raises a `RecordError`; `BrokenTransferError` too where the object is not the same any more: that is tried again
        later, from the start, while an object that is gone for good would be set aside.
        """
        offset = counted_from = 0
        failures = 0
        while True:
            try:
                opened = opened or self.connect().open(self.ref, offset=offset, if_match=self.etag)
                for chunk in opened.chunks():
                    offset += len(chunk)
                    yield chunk
            except ObjectGoneError as error:
                raise BrokenTransferError(f"the object changed while it was read, at byte {offset:,}") from error
            except _PASSING as error:
                opened = None
                if offset - counted_from >= PROGRESS_BYTES:
                    failures, counted_from = 0, offset
                failures += 1
                self._pause_before_resuming(failures, error)
            else:
                return

    def _pause_before_resuming(self, failures: int, error: RecordError) -> None:
        if failures > self.max_resumptions or (self.etag is None and self.ref.version_id is None):
            raise error
        self.pause(min(PAUSE_BASE_S * 2**failures, PAUSE_MAX_S))
