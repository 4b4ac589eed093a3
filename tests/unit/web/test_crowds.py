"""More clients than a server has room for, over real sockets."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest

from pipeline.web import crowds
from pipeline.web.crowds import CrowdedServer
from tests.command import until

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 60
ROOM = 3
REQUEST = b"GET / HTTP/1.0\r\n\r\n"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response_only(204)
        self.end_headers()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[CrowdedServer]:
    """One with little room."""
    monkeypatch.setattr(crowds, "CONNECTIONS", ROOM)
    with CrowdedServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def _connected(server: CrowdedServer) -> socket.socket:
    return socket.create_connection(server.server_address[:2], timeout=TIMEOUT_S)


def _status(client: socket.socket) -> bytes:
    """Answer the first line, empty if it was closed instead."""
    client.sendall(REQUEST)
    return client.makefile("rb").readline()


def test_the_oldest_of_too_many_clients_makes_room_for_the_newest(server: CrowdedServer) -> None:
    """Who says nothing keeps nobody away."""
    with ExitStack() as stack:
        slow = [stack.enter_context(_connected(server)) for _ in range(ROOM)]
        assert until(lambda: len(server._open) == ROOM, TIMEOUT_S)
        newest = stack.enter_context(_connected(server))

        assert b"HTTP/1.0 204 No Content\r\n" == _status(newest)
        assert b"" == slow[0].recv(1)
        assert b"HTTP/1.0 204 No Content\r\n" == _status(slow[1])


def test_who_was_answered_takes_no_room(server: CrowdedServer) -> None:
    """However many come one after the other, a slow one stays."""
    with _connected(server) as slow:
        assert until(lambda: len(server._open) == 1, TIMEOUT_S)
        for _ in range(3 * ROOM):
            with _connected(server) as client:
                assert b"HTTP/1.0 204 No Content\r\n" == _status(client)
            assert until(lambda: len(server._open) == 1, TIMEOUT_S)

        assert b"HTTP/1.0 204 No Content\r\n" == _status(slow)
