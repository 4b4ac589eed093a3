"""Connections that are kept: used again while they are good, and errors that say what happened."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util.wait import wait_for_read

from tests.certificates import a_tls_server
from tests.ports import a_free_port
from tests.raw_server import STALL, RawServer, an_answer
from transforms.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HEADERS = {"Host": "127.0.0.1", "X-Any": "value"}
PATIENCE_S = 30
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"


def connections_to(url: str, *, certificates: str = "", timeout_s: float = PATIENCE_S) -> Connections:
    """Make what is tested."""
    return Connections(url, certificates=certificates, connect_timeout_s=timeout_s, read_timeout_s=timeout_s)


class Keeping(BaseHTTPRequestHandler):
    """Answers with the body that it got, and keeps the connection, unless the body tells it to hang up."""

    protocol_version = "HTTP/1.1"
    clients: list[tuple[str, int]]

    def do_POST(self) -> None:
        """Answer."""
        self.clients.append(self.client_address)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if body == b"announce the end":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = body in {b"announce the end", b"end in silence"}

    def log_message(self, *_: object) -> None:  # type: ignore[override]
        """Say nothing."""


@contextmanager
def a_keeping_server() -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Serve; answer the URL and whose requests came: one entry for each, the client's address."""
    clients: list[tuple[str, int]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Keeping,), {"clients": clients}))
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", clients
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_connection_is_used_again() -> None:
    """That is what it is kept for."""
    with a_keeping_server() as (url, clients):
        connections = connections_to(url)
        answers = [connections.post(HEADERS, body) for body in (b"one", b"two", b"three")]

    assert [(200, b"one"), (200, b"two"), (200, b"three")] == answers
    assert 1 == len(set(clients))


@pytest.mark.parametrize("end", [b"announce the end", b"end in silence"])
def test_a_connection_that_the_server_closed_is_not_used_again(end: bytes) -> None:
    """SQS closes what was quiet for a while; a request sent into it would be lost."""
    with a_keeping_server() as (url, clients):
        connections = connections_to(url)
        connections.post(HEADERS, end)
        for idle in connections._idle:
            assert wait_for_read(idle.sock, PATIENCE_S)
        answer = connections.post(HEADERS, b"again")

    assert (200, b"again") == answer
    assert 2 == len(set(clients))


def test_requests_at_once_have_connections_of_their_own() -> None:
    """Answers would be mixed up otherwise."""
    with a_keeping_server() as (url, clients):
        connections = connections_to(url)
        bodies = [b"%d" % number for number in range(50)]
        answers: dict[bytes, tuple[int, bytes]] = {}

        def ask(mine: list[bytes]) -> None:
            answers.update({body: connections.post(HEADERS, body) for body in mine})

        threads = [Thread(target=ask, args=(bodies[n::5],)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert {body: (200, body) for body in bodies} == answers
    assert 50 == len(clients)
    assert len(set(clients)) <= 5


def test_a_request_has_its_headers_and_its_length() -> None:
    """And nothing that nobody asked for: what is signed is what is sent."""
    with RawServer([an_answer()]) as server:
        connections_to(server.url).post(HEADERS, b"body")

    assert ["POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Any: value\r\nContent-Length: 4\r\n\r\nbody"] == server.requests


def test_an_answer_in_chunks_is_read_whole() -> None:
    """SQS announces a length; what stands before it need not."""
    with RawServer([CHUNKED]) as server:
        assert (200, b"abcde") == connections_to(server.url).post(HEADERS, b"")


@pytest.mark.parametrize("answer", [b"", an_answer(body=b"short", announced=100), b"SSH-2.0\r\n\r\n"])
def test_an_answer_that_is_cut_is_an_error_and_asked_for_once(answer: bytes) -> None:
    """Nobody knows what the server did; who asked decides."""
    with RawServer([answer]) as server, pytest.raises(ConnectionClosedError):
        connections_to(server.url).post(HEADERS, b"")

    assert 1 == len(server.requests)


def test_a_server_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    """Somebody else may have more luck."""
    with RawServer([STALL]) as server, pytest.raises(ReadTimeoutError):
        connections_to(server.url, timeout_s=0.05).post(HEADERS, b"")


def test_a_connection_that_does_not_come_about_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall drops what it does not like."""

    def dropped(*_: object, **__: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", dropped)

    with pytest.raises(ConnectTimeoutError):
        connections_to("http://127.0.0.1:1").post(HEADERS, b"")


def test_a_server_that_is_not_there_is_named() -> None:
    """As boto3 would name it."""
    url = f"http://127.0.0.1:{a_free_port()}"

    with pytest.raises(EndpointConnectionError, match=url):
        connections_to(url).post(HEADERS, b"")


def test_a_header_with_a_line_end_is_not_sent_nor_shown() -> None:
    """A session token that was copied with its line end would be two headers."""
    with RawServer([an_answer()]) as server:
        with pytest.raises(HTTPClientError, match="X-Amz-Security-Token has characters") as caught:
            connections_to(server.url).post({"X-Amz-Security-Token": "the-secret\r\nX-Evil: 1"}, b"")
        assert "the-secret" not in str(caught.value)
    assert [] == server.requests


def test_a_server_is_asked_over_tls_if_it_can_be_trusted(tmp_path: Path) -> None:
    """By the certificates that are given, and by none that come with Python."""
    tls, bundle = a_tls_server(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    _, strangers = a_tls_server(other)
    with RawServer([an_answer(body=b"over TLS")], tls=tls) as server:
        assert (200, b"over TLS") == connections_to(server.url, certificates=str(bundle)).post(HEADERS, b"")
        with pytest.raises(SSLError, match="certificate"):
            connections_to(server.url, certificates=str(strangers)).post(HEADERS, b"")

    assert 1 == len(server.requests)


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    """Before anybody is asked."""
    bundle = tmp_path / "bundle.pem"
    if content:
        bundle.write_text(content)

    with pytest.raises(SSLError, match=r"bundle\.pem"):
        connections_to("https://127.0.0.1:1", certificates=str(bundle))


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://sqs.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com"),
        ("https://sqs.eu-west-1.amazonaws.com:443", "sqs.eu-west-1.amazonaws.com"),
        ("http://localhost:4566", "localhost:4566"),
        ("http://LocalHost:80", "localhost"),
        ("http://[::1]:4566", "[::1]:4566"),
    ],
)
def test_the_host_is_named_as_botocore_signs_it(url: str, host: str, tmp_path: Path) -> None:
    """Without the usual port."""
    _, bundle = a_tls_server(tmp_path)

    assert host == connections_to(url, certificates=str(bundle)).host
