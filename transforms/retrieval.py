"""Gets an object into memory as it is stored if it is small, or a way to read it again and again if it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from transforms.downloads import MAX_RESUMPTIONS, Download
from transforms.failures import TooLargeError
from transforms.gzip_stream import inflate, inflate_whole

if TYPE_CHECKING:
    from transforms.byte_budget import ByteBudget, Reservation
    from transforms.objects import ObjectInfo, Objects, OpenObject
    from transforms.records import ObjectRef
    from transforms.settings import FetchSettings

SMALL_RESUMPTIONS = 1
"""Without progress between them: a small object holds a thread that others wait for, and comes again anyway."""

Content = bytes | Callable[[], Iterator[bytes]]
"""Inflated bytes, already verified; or what reads and verifies them from the beginning, as often as it is called."""


@dataclass(frozen=True, slots=True)
class Retrieved:
    """An object as it is stored, and the memory that is reserved for it."""

    ref: ObjectRef
    """As notified."""
    info: ObjectInfo
    stored: bytes | Download
    reservation: Reservation
    settings: FetchSettings

    def content(self) -> Content:
        """Inflate what is small; asked once. Never waits; raises a `RecordError` and then holds no memory."""
        if not isinstance(self.stored, bytes):
            return partial(inflate, self.stored, max_bytes=self.settings.max_object_bytes)
        try:
            return _inflate_small(self.stored, self.settings, self.reservation)
        except BaseException:
            self.reservation.release()
            raise


def retrieve(
    ref: ObjectRef,
    *,
    connect: Callable[[], Objects],
    settings: FetchSettings,
    budget: ByteBudget,
    pause: Callable[[float], None],
) -> Retrieved:
    """Open `ref` and read it if it is small. Waits for `budget`; raises a `RecordError` and then holds none of it."""
    opened, reservation = _open_within(budget, ref, connect, settings)
    try:
        _refuse_too_large(opened, settings)
        # The reference as notified, not the version that was found: reading by version is a permission of its own.
        is_small = opened.info.size <= settings.in_memory_bytes
        max_resumptions = SMALL_RESUMPTIONS if is_small else MAX_RESUMPTIONS
        download = Download(connect, ref, opened.info.etag, pause, max_resumptions)
        stored = b"".join(download.chunks(opened)) if is_small else download
        reservation.shrink(len(stored) if isinstance(stored, bytes) else 0)
    except BaseException:
        reservation.release()
        raise
    return Retrieved(ref, opened.info, stored, reservation, settings)


def _open_within(
    budget: ByteBudget, ref: ObjectRef, connect: Callable[[], Objects], settings: FetchSettings
) -> tuple[OpenObject, Reservation]:
    """Reserve memory first and open then: S3 would not keep a connection for as long as memory may take."""
    size = settings.in_memory_bytes if ref.size is None else ref.size
    while True:
        reservation = budget.acquire(size if size <= settings.in_memory_bytes else 0)
        try:
            opened = connect().open(ref)
        except BaseException:
            reservation.release()
            raise
        if not reservation.size < opened.info.size <= settings.in_memory_bytes:
            return opened, reservation
        # It is not what was notified: overwritten since, or a lie. Waiting for more while holding some would be a
        # deadlock. Reserved is then what is enough for any size, since a server may name another one each time.
        reservation.release()
        size = settings.in_memory_bytes


def _inflate_small(stored: bytes, settings: FetchSettings, reservation: Reservation) -> Content:
    """Inflate at once what is small, if there is memory for it now; else when it is read, piece by piece."""
    limit = min(settings.in_memory_bytes, settings.max_object_bytes)
    content = inflate_whole(stored, limit=limit, reserve=reservation.grow)
    reservation.shrink(len(stored if content is None else content))
    if content is not None:
        return content
    return partial(inflate, (stored,), max_bytes=settings.max_object_bytes)


def _refuse_too_large(opened: OpenObject, settings: FetchSettings) -> None:
    """Do not wait for the end of what is too large as it is, gzip too: it can be endless and inflate to nothing."""
    size, limit = opened.info.size, settings.max_object_bytes
    if size > limit:
        raise TooLargeError(f"--max_object_bytes is {limit:,}; the object has {size:,} bytes")
