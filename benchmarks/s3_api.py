"""S3's GET and HEAD of objects, with ranges: every key has the same small content, one key a large one."""

from __future__ import annotations

import re

from benchmarks.http_server import Connection, Request, response
from benchmarks.payloads import LARGE_KEY, Body

_RANGE = re.compile(rb"\r\nrange: *bytes=(\d+)-(\d*)", re.IGNORECASE)
_LARGE = LARGE_KEY.encode()


class S3Api:
    """Answers every key with the small body, the large one's with the large."""

    def __init__(self, small: Body, large: Body) -> None:
        """Write the response to the usual request beforehand."""
        self._small = small
        self._large = large
        self._usual = _head(small, 0, small.size) + small.member

    def handle(self, request: Request, connection: Connection) -> None:
        """Answer a GET or HEAD of an object, or of the bucket."""
        is_head, part = request.method == b"HEAD", _RANGE.search(request.head)
        if request.path.count(b"/") == 1 or request.path.endswith(b"?location"):
            connection.reply(response(b"200 OK"))
        elif not is_head and not part and not request.path.endswith(_LARGE):
            connection.reply(self._usual)
        else:
            self._answer(self._large if request.path.endswith(_LARGE) else self._small, is_head, part, connection)

    def _answer(self, body: Body, is_head: bool, part: re.Match[bytes] | None, connection: Connection) -> None:  # noqa: FBT001 - private
        start = int(part[1]) if part else 0
        end = min(int(part[2]) + 1, body.size) if part and part[2] else body.size
        head = _head(body, start, end, is_part=bool(part))
        if is_head:
            connection.reply(head)
        else:
            connection.stream(head, body.read(start, end))


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
