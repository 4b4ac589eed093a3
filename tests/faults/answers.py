"""Answers that no server gave: refusals, and lies, which are made piece by piece, since some of them have no end.

A lie is told the stored object and where in it the answer should begin.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.faults.proxy import Event

MIB = 1024 * 1024
FOR_EVER = 2**60
"""Bytes that nobody will ever have sent."""
ZEROS = gzip.compress(bytes(MIB), 9)
NOTHING = gzip.compress(b"", 1) * 50_000


@dataclass(frozen=True, slots=True)
class Truth:
    """What would have to be answered."""

    body: bytes
    etag: str


def refusal(event: Event, status: int, message: str = "told to") -> bytes:
    """Say no as AWS says it."""
    code = "AccessDenied" if status == 403 else "SlowDown" if status == 429 else "ServiceUnavailable"
    if event.service == "sqs":
        body = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": message}).encode()
        kind = "application/x-amz-json-1.0"
    else:
        said = escape(message)
        body = f"<Error><Code>{code}</Code><Message>{said}</Message><Signed>{said}</Signed></Error>".encode()
        kind = "application/xml"
    head = f"HTTP/1.1 {status} No\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + (b"" if event.operation == "HEAD" else body)


def told(lie: Callable[[Truth, int], AsyncIterator[bytes]], truth: Truth) -> Callable[[Event], AsyncIterator[bytes]]:
    """Make of a lie what `Proxy.lie` takes."""
    return lambda event: lie(truth, event.offset)


async def without_a_length(truth: Truth, offset: int) -> AsyncIterator[bytes]:
    """Send chunks for ever."""
    yield _head(truth, offset, None, "Transfer-Encoding: chunked")
    while True:
        yield _chunk(b"x" * MIB)


async def chunks_beside_a_length(truth: Truth, offset: int) -> AsyncIterator[bytes]:
    """Announce the right length, which by HTTP's rules says nothing beside chunks, and send them for ever."""
    yield _head(truth, offset, len(truth.body) - offset, "Transfer-Encoding: chunked")
    while True:
        yield _chunk(b"x" * 100_003)


async def endless(truth: Truth, offset: int) -> AsyncIterator[bytes]:
    """Announce the largest object there ever was, and send it."""
    yield _head(truth, offset, FOR_EVER)
    while True:
        yield b"x" * MIB


async def endless_gzip(truth: Truth, offset: int) -> AsyncIterator[bytes]:
    """The same, of members that inflate to nothing: it never has too many inflated bytes."""
    yield _head(truth, offset, FOR_EVER)
    while True:
        yield NOTHING


def gzip_of(member: bytes, length: int) -> Callable[[Truth, int], AsyncIterator[bytes]]:
    """Announce `length` and send as much, the last member cut."""

    async def lie(truth: Truth, offset: int) -> AsyncIterator[bytes]:
        yield _head(truth, offset, length - offset)
        for start in range(0, length, len(member)):
            yield member[: length - start]

    return lie


async def cut(truth: Truth, offset: int) -> AsyncIterator[bytes]:
    """Announce the right length and send no more than the first half."""
    yield _head(truth, offset, len(truth.body) - offset)
    yield truth.body[offset : len(truth.body) // 2]


async def longer_than_announced(truth: Truth, offset: int) -> AsyncIterator[bytes]:
    """Announce half of what is sent."""
    yield _head(truth, offset, len(truth.body) // 2 - offset)
    yield truth.body[offset:]


async def stalled(truth: Truth, offset: int) -> AsyncIterator[bytes]:
    """Send no more than the first half, and then nothing, for as long as somebody listens."""
    async for piece in cut(truth, offset):
        yield piece
    while True:
        await asyncio.sleep(0.5)
        yield b""


async def dripping(truth: Truth, offset: int) -> AsyncIterator[bytes]:
    """Send a byte, and in a while another one: something comes before anybody's patience ends."""
    yield _head(truth, offset, len(truth.body) - offset)
    for position in range(offset, len(truth.body)):
        yield truth.body[position : position + 1]
        await asyncio.sleep(5)


def _head(truth: Truth, offset: int, length: int | None, *headers: str) -> bytes:
    lines = ["HTTP/1.1 206 Partial Content" if offset else "HTTP/1.1 200 OK"]
    if offset:
        last = offset + (len(truth.body) - offset if length is None else length) - 1
        lines.append(f"Content-Range: bytes {offset}-{last}/{last + 1}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    lines += [f'ETag: "{truth.etag}"', "Last-Modified: Fri, 02 Jan 2026 03:04:05 GMT", *headers, "", ""]
    return "\r\n".join(lines).encode()


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
