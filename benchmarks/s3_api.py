"""S3's GET and HEAD of objects, with ranges, where every key has the same content; and a bucket that takes results."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from benchmarks.http_server import Connection, Request, response
from benchmarks.payloads import CHUNK_BYTES, RESULTS_BUCKET, Body

if TYPE_CHECKING:
    from benchmarks.results import Results

_RANGE = re.compile(rb"\r\nrange: *bytes=(\d+)-(\d*)", re.IGNORECASE)
_KEY = re.compile(rb"<Key>([^<]*)</Key>")
_RESULTS = f"/{RESULTS_BUCKET}/".encode()


class S3Api:
    """Answers every key with one body; takes results in a bucket of their own."""

    def __init__(self, body: Body, results: Results) -> None:
        """Write the response to the usual request beforehand."""
        self._body = body
        self._results = results
        self._usual = _head(body, 0, body.size) + body.member if body.size <= CHUNK_BYTES else None

    def handle(self, request: Request, connection: Connection) -> None:
        """Answer a request for an object, a result, or a bucket."""
        if request.path.endswith(b"?delete"):
            bucket = request.path.partition(b"?")[0]
            for key in _KEY.findall(request.body):
                self._results.delete(bucket + b"/" + key)
            connection.reply(response(b"200 OK", b"<DeleteResult/>"))
        elif request.path.count(b"/") == 1 or request.path.endswith(b"?location"):
            connection.reply(response(b"200 OK"))
        elif request.path.startswith(_RESULTS):
            connection.reply(self._result(request))
        else:
            self._object(request, connection)

    def _result(self, request: Request) -> bytes:
        match request.method:
            case b"PUT":
                self._results.put(request.path, request.body)
                return response(b"200 OK", b"", b'ETag: "00000000000000000000000000000000"')
            case b"HEAD" if self._results.has(request.path):
                return response(b"200 OK", b"", b"Last-Modified: Thu, 15 Jan 2026 09:00:00 GMT")
            case _:
                return response(b"404 Not Found")

    def _object(self, request: Request, connection: Connection) -> None:
        is_head, part = request.method == b"HEAD", _RANGE.search(request.head)
        if self._usual and not is_head and not part:
            connection.reply(self._usual)
            return
        size = self._body.size
        start = int(part[1]) if part else 0
        end = min(int(part[2]) + 1, size) if part and part[2] else size
        head = _head(self._body, start, end, is_part=bool(part))
        if is_head:
            connection.reply(head)
        else:
            connection.stream(head, self._body.read(start, end))


def _head(body: Body, start: int, end: int, *, is_part: bool = False) -> bytes:
    lines = [
        "HTTP/1.1 206 Partial Content" if is_part else "HTTP/1.1 200 OK",
        f"Content-Length: {end - start}",
        f'ETag: "{body.etag}"',
        "Last-Modified: Thu, 15 Jan 2026 09:00:00 GMT",
        "Accept-Ranges: bytes",
        "Content-Type: binary/octet-stream",
    ]
    if is_part:
        lines.append(f"Content-Range: bytes {start}-{end - 1}/{body.size}")
    return "\r\n".join([*lines, "", ""]).encode()
