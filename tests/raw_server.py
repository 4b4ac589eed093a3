"""An HTTP server that answers exactly what a test says, faults included."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

STALL = None
"""An answer that never comes."""


class HeldOpen(bytes):
    """An answer whose connection stays open: if more was announced, it never comes."""

    __slots__ = ()


class Dripping(bytes):
    """An answer after which a byte comes twenty times a second, until the client hangs up or the test ends."""

    __slots__ = ()


def an_answer(
    status: str = "200 OK",
    body: bytes = b"",
    *,
    announced: int | None = None,
    etag: str | None = '"etag-1"',
    **headers: str,
) -> bytes:
    """Build an answer; `announced` is its Content-Length if not the truth. `x_amz_foo="1"` is a header."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if announced is None else announced}"]
    lines += [f"ETag: {etag}"] if etag else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += ["Last-Modified: Fri, 02 Jan 2026 03:04:05 GMT", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


def an_error(status: str, code: str, message: str = "Said by the server.", extra: str = "") -> bytes:
    """Build what S3 answers when it refuses."""
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>'
    )
    return an_answer(status, xml.encode(), etag=None)


class RawServer:
    """Gives its answers in order, the last one again and again; a context manager."""

    def __init__(
        self, answers: Sequence[bytes | None] | Callable[[str], bytes | None], *, tls: ssl.SSLContext | None = None
    ) -> None:
        """`answers` may also be a function of the request."""
        self.requests: list[str] = []
        """Each request, with its body."""
        self._answers = answers
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Begin to serve."""
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up on everybody."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _run(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self._run(self._serve, connection)

    def _serve(self, accepted: socket.socket) -> None:
        request = b""
        with contextlib.suppress(OSError), self._secured(accepted) as connection:  # it hangs up, or trusts us not
            while not _is_whole(request):
                received = connection.recv(65536)
                if not received:
                    return
                request += received
            answer = self._answer(request.decode())
            if answer is STALL:
                connection.recv(1)  # until the client gives up, or the test ends
                return
            connection.sendall(answer)
            if isinstance(answer, HeldOpen):
                connection.recv(1)
            if isinstance(answer, Dripping):
                connection.settimeout(0.05)
                while not _hung_up(connection):
                    connection.sendall(b"x")

    def _secured(self, connection: socket.socket) -> socket.socket:
        return connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True)

    def _answer(self, request: str) -> bytes | None:
        self.requests.append(request)
        if callable(self._answers):
            return self._answers(request)
        return self._answers[min(len(self.requests), len(self._answers)) - 1]


def _is_whole(request: bytes) -> bool:
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return bool(end) and len(body) >= int(length[1] if length else 0)


def _hung_up(connection: socket.socket) -> bool:
    """Wait as long as the connection's timeout for its end; whether it came."""
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
