"""Ports for the servers that a test starts by their number; what can listen at port 0 needs none of these."""

from __future__ import annotations

import errno
import os
import random
import socket

FIRST, LAST = 10_000, 32_767
"""Below those that Linux gives to whoever asks for any, so it gives none away before the test's server has it."""
PROCESSES = 64


def a_free_port(address: str = "127.0.0.1") -> int:
    """Answer a port at which nobody listens. Processes of pytest that run at once are given different ones."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        port = random.randrange(FIRST + number % PROCESSES, LAST, PROCESSES)
        try:
            socket.create_server((address, port), family=family).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return port
