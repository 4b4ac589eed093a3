"""An HTTP server that a crowd of clients, or a slow one, cannot stop: the newest is answered, the oldest makes room.

Without a limit every client would take a thread and a file, until the process could start no other.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from contextlib import suppress
from http.server import ThreadingHTTPServer
from typing import Any

CONNECTIONS = 256
"""At once: far more than anybody scrapes with, and a quarter of the files that a process usually may open."""


class CrowdedServer(ThreadingHTTPServer):
    """Closes its oldest connection where one too many comes: whoever is slow, not whoever asks now."""

    daemon_threads = True
    request_queue_size = 128
    """Who comes while it is busy; five, as usual, would make a sixth wait a second for its next try."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - its signature
        """As an HTTP server."""
        self._open: deque[socket.socket] = deque()
        self._changing = threading.Lock()
        super().__init__(*args, **kwargs)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - its signature
        """Answer in a thread of its own."""
        with self._changing:
            self._open.append(request)
            if len(self._open) > CONNECTIONS:
                oldest = self._open.popleft()
                with suppress(OSError):  # it has just gone away
                    oldest.shutdown(socket.SHUT_RDWR)  # its thread reads the end, and closes it
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - its signature
        """Forget it, and close it."""
        with self._changing, suppress(ValueError):  # it has made room
            self._open.remove(request)
        super().shutdown_request(request)
