"""Connections to one server that are kept open, over Python's own HTTP, for requests of a busy job.

urllib3 and what botocore puts around it take three times as long for a request. What they also know, proxies above
all, is left to them: see `sqs_calls.py`.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import weakref
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util.wait import wait_for_read

if TYPE_CHECKING:
    from collections.abc import Mapping

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Connections:
    """As many as are in use at once. Safe to call from several threads."""

    def __init__(self, url: str, *, certificates: str, connect_timeout_s: float, read_timeout_s: float) -> None:
        """`url` has no path; `certificates` is a file. Opens nothing yet. Raises botocore's `SSLError`."""
        parts = urlsplit(url)
        self._url = url
        self._timeouts_s = (connect_timeout_s, read_timeout_s)
        self._address = (parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme])
        self.host = parts.netloc.rpartition("@")[2].lower().removesuffix(f":{_DEFAULT_PORTS[parts.scheme]}")
        """As the header of this name has it."""
        self._context: ssl.SSLContext | None = None
        if parts.scheme == "https":
            try:
                self._context = ssl.create_default_context(cafile=certificates)
            except OSError as error:
                raise SSLError(endpoint_url=url, error=f"{certificates}: {error}") from error
        self._idle: list[http.client.HTTPConnection] = []
        weakref.finalize(self, _close_all, self._idle)

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Send `POST /` once with `headers` and the length, and answer status and body.

        Raises botocore's own errors, as if it had asked; after `ReadTimeoutError` and `ConnectionClosedError` nobody
        knows whether the server did what it was asked.
        """
        lines = "".join(f"{name}: {_sendable(name, value)}\r\n" for name, value in headers.items())
        request = f"POST / HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
        connection = self._take()
        try:
            connection.sock.sendall(request)
            answer = http.client.HTTPResponse(connection.sock, method="POST")
            answer.begin()
            content = answer.read()
        except BaseException as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(endpoint_url=self._url, error=error) from error
            if isinstance(error, OSError | http.client.HTTPException):
                raise ConnectionClosedError(endpoint_url=self._url, error=error) from error
            raise
        if answer.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer.status, content

    def _take(self) -> http.client.HTTPConnection:
        """Answer an open connection: one of those that are idle if the server has not closed it, else a new one."""
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took it
                break
            if not wait_for_read(connection.sock, timeout=0):  # else the server closed it, or speaks unasked
                return connection
            connection.close()
        return self._connect()

    def _connect(self) -> http.client.HTTPConnection:
        connect_timeout_s, read_timeout_s = self._timeouts_s
        host, port = self._address
        made = (
            http.client.HTTPSConnection(host, port, timeout=connect_timeout_s, context=self._context)
            if self._context
            else http.client.HTTPConnection(host, port, timeout=connect_timeout_s)
        )
        try:
            made.connect()
        except ssl.SSLError as error:
            raise SSLError(endpoint_url=self._url, error=error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(endpoint_url=self._url, error=error) from error
        except OSError as error:
            raise EndpointConnectionError(endpoint_url=self._url, error=error) from error
        made.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        made.sock.settimeout(read_timeout_s)
        return made


def _sendable(name: str, value: str) -> str:
    """Answer a header's value, if no line can end in it; it may be a secret, so nothing of it is shown."""
    if not (value.isascii() and value.isprintable()):
        raise HTTPClientError(error=f"the value of {name} has characters that no header can have")
    return value


def _close_all(connections: list[http.client.HTTPConnection]) -> None:
    for connection in connections:
        connection.close()
