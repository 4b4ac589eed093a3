"""A reference and its content: what the user's function is given."""

from __future__ import annotations

import dataclasses
import io
import time
from typing import TYPE_CHECKING, Any

from transforms.failures import TooLargeError
from transforms.first_errors import FirstError
from transforms.lines import split_lines
from transforms.retrieval import retrieve
from transforms.settings import MIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transforms.byte_budget import ByteBudget
    from transforms.failures import RecordError
    from transforms.objects import Objects
    from transforms.records import ObjectRef
    from transforms.retrieval import Content, Retrieved
    from transforms.settings import FetchSettings


class Fetched:
    """A reference and its content, inflated. For one thread at a time.

    `chunks`, `lines` and `read` begin at the beginning whenever they are called. The first error decides the record's
    fate whatever is done with the exception: every later call raises it again, `finish` too.
    """

    def __init__(
        self,
        ref: ObjectRef,
        content: Content,
        *,
        size: int,
        max_read_bytes: int = 256 * MIB,
        on_close: Callable[[], object] | None = None,
    ) -> None:
        """`on_close` is called once, at the latest when nobody holds this any more; it does not pickle along."""
        self.ref = ref
        """With the ETag and version that were fetched."""
        self.size = size
        """Bytes as stored."""
        self.inflated_bytes = len(content) if isinstance(content, bytes) else None
        """Bytes of the content; None until it was read to its end once."""
        self._content: Content | None = content
        self._max_read_bytes = max_read_bytes
        self._first_error = FirstError()
        self._latest: Iterator[bytes] = iter(())
        self._on_close = on_close

    @property
    def error(self) -> RecordError | None:
        """The first error, if there was one."""
        return self._first_error.error

    @property
    def in_memory(self) -> bool:
        """Whether reading it waits for nothing."""
        return isinstance(self._content, bytes)

    def chunks(self) -> Iterator[bytes]:
        """Yield the content in pieces that are never empty, about a MiB or less if it is a stream.

        Raises a `RecordError`: `CorruptGzipError`, `TooLargeError` over `--max_object_bytes`, `BrokenTransferError`, …
        """
        self._latest = self._watched_chunks(self._checked())
        return self._latest

    def lines(self) -> Iterator[bytes]:
        r"""Yield the lines without their `\n`; a last line without one counts, and a `\r` stays.

        Raises as `chunks`, and `TooLargeError` for a line over `--max_read_bytes`.
        """
        return self._watched_lines(self.chunks())

    def read(self) -> bytes:
        """Answer the whole content. Raises as `chunks`, and `TooLargeError` if it is over `--max_read_bytes`."""
        content = self._checked()
        with self._first_error.watch():
            if isinstance(content, bytes):
                self._check_readable(len(content))
                return content
            whole = io.BytesIO()  # joining a list would hold everything twice
            for chunk in self.chunks():
                self._check_readable(whole.tell() + len(chunk))
                whole.write(chunk)
            return whole.getvalue()

    def finish(self) -> None:
        """Raise the first error, if there was one; else read to the end, unless that was done, and so verify it."""
        self._checked()
        if self.inflated_bytes is None:
            _exhaust(self._latest)  # from where the function stopped
        if self.inflated_bytes is None:
            _exhaust(self.chunks())

    def close(self) -> None:
        """Free the memory; again is harmless. Reading it afterwards is a `ValueError`."""
        self._content = None
        self._latest = iter(())
        on_close, self._on_close = self._on_close, None
        if on_close is not None:
            on_close()

    def __del__(self) -> None:
        """Free the memory of what nobody closed: a runner may drop what it was given."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without what belongs to this process; a reading under way starts again there."""
        return self.__dict__ | {"_latest": iter(()), "_on_close": None}

    def _checked(self) -> Content:
        self._first_error.check()
        if self._content is None:
            raise ValueError(f"the content of {self.ref.url} is closed")
        return self._content

    def _check_readable(self, size: int) -> None:
        if size > self._max_read_bytes:
            limit = f"--max_read_bytes is {self._max_read_bytes:,}"
            raise TooLargeError(f"{limit} and the content has at least {size:,}: read it with chunks()")

    def _watched_chunks(self, content: Content) -> Iterator[bytes]:
        inflated = 0
        with self._first_error.watch():
            for chunk in filter(None, (content,)) if isinstance(content, bytes) else content():
                inflated += len(chunk)
                yield chunk
        self.inflated_bytes = inflated

    def _watched_lines(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        with self._first_error.watch():
            yield from split_lines(chunks, max_line_bytes=self._max_read_bytes)


def fetch(
    ref: ObjectRef,
    *,
    connect: Callable[[], Objects],
    settings: FetchSettings,
    budget: ByteBudget,
    pause: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Fetch `ref`: whole if it has at most `in_memory_bytes` inflated, else as a stream that is read when it is asked.

    `connect` pickles. Waits until `budget` has room; `Fetched.close` gives it back. `pause` waits so many seconds
    before a broken stream is resumed. Raises a `RecordError`: whatever opening and reading raise, `CorruptGzipError`
    for a small object, `TooLargeError` for one that is not gzip and over `max_object_bytes`.
    """
    return content_of(retrieve(ref, connect=connect, settings=settings, budget=budget, pause=pause))


def content_of(retrieved: Retrieved) -> Fetched:
    """Inflate what is small, and give access to the rest; asked once. Never waits.

    Raises a `RecordError`: `CorruptGzipError` for a small object.
    """
    ref, info = retrieved.ref, retrieved.info
    fetched = (info.etag, info.version_id or ref.version_id)
    if fetched != (ref.etag, ref.version_id):
        ref = dataclasses.replace(ref, etag=fetched[0], version_id=fetched[1])
    return Fetched(
        ref,
        retrieved.content(),
        size=info.size,
        max_read_bytes=retrieved.settings.max_read_bytes,
        on_close=retrieved.reservation.release,
    )


def _exhaust(chunks: Iterator[bytes]) -> None:
    for _ in chunks:
        pass
