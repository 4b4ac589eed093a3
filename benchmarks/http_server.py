"""As much HTTP/1.1 as the stand-in needs, as little as can be: keep-alive and pipelining, answers in order."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `head` holds the header lines as they came."""

    method: bytes
    path: bytes
    head: bytes
    body: bytes


class Connection(asyncio.Protocol):
    """One client. `handle` must call `reply` or `stream` once for each request, now or later."""

    def __init__(self, handle: Callable[[Request, Connection], None]) -> None:
        """Serve with `handle`."""
        self._handle = handle
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._chunks: Iterator[bytes] = iter(())
        self._is_busy = False
        self._is_looping = False
        self._is_paused = False

    @property
    def is_open(self) -> bool:
        """Whether the client is still there."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget it: what is replied from now on goes nowhere."""
        self._transport = None

    def data_received(self, data: bytes) -> None:
        """Handle whatever requests are complete."""
        self._buffer += data
        self._handle_complete()

    def reply(self, response: bytes) -> None:
        """Answer the request at hand; the next may follow."""
        if self._transport:
            self._transport.write(response)
        self._is_busy = False
        if not self._is_looping:
            self._handle_complete()

    def stream(self, head: bytes, chunks: Iterator[bytes]) -> None:
        """Answer with a body too large for memory, as fast as the client reads."""
        self._chunks = chunks
        if self._transport:
            self._transport.write(head)
        self._pump()

    def pause_writing(self) -> None:
        """Wait for the client."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Go on with the stream at hand."""
        self._is_paused = False
        self._pump()

    def _pump(self) -> None:
        if self._is_paused or not self._is_busy:
            return
        chunk = next(self._chunks, None) if self.is_open else None
        if chunk is None:
            self.reply(b"")
        elif self._transport:
            self._transport.write(chunk)
            if not self._is_paused:
                asyncio.get_running_loop().call_soon(self._pump)  # in turn with the other clients

    def _handle_complete(self) -> None:
        self._is_looping = True
        while not self._is_busy and (request := self._take()):
            self._is_busy = True
            self._handle(request, self)
        self._is_looping = False

    def _take(self) -> Request | None:
        end = self._buffer.find(_END)
        if end < 0:
            return None
        head = bytes(self._buffer[:end])
        length = _CONTENT_LENGTH.search(head)
        total = end + len(_END) + (int(length[1]) if length else 0)
        if len(self._buffer) < total:
            return None
        body = bytes(self._buffer[end + len(_END) : total])
        del self._buffer[:total]
        method, path, _ = head.split(b" ", 2)
        return Request(method, path, head, body)


def response(status: bytes, body: bytes = b"", *headers: bytes) -> bytes:
    """Write a whole response."""
    return b"\r\n".join((b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", body))
