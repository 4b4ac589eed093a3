"""How much the stand-in can serve at all: a load generator that does nothing but ask, over raw sockets.

It asks what a contender asks for each ten objects (a receive, ten GETs, a batch of deletes), on kept-alive connections,
one request at a time on each, as real clients do.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.payloads import BUCKET, key_of
from benchmarks.servers import ROOT, stand_in
from benchmarks.sqs_api import QUEUE_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

ENOUGH = 3
"""How many times the fastest contender the stand-in must be able to serve."""
OBJECTS = 20_000
SETS = 4
"""Ten objects each that are under way at once."""
BATCH = 10
_LENGTH = re.compile(rb"Content-Length: (\d+)")
_HANDLE = re.compile(rb'"ReceiptHandle":"(\d+)/(\d+)"')
_HEADERS = (
    "Host: 127.0.0.1\r\nUser-Agent: capacity/1.0 (as long as a real one, with its platform and its retries)\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=testing/20260115/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=0000000000000000000000000000000000000000000000000000000000000000\r\nX-Amz-Date: 20260115T090000Z\r\n"
)


def verdict(fastest: float) -> str:
    """Measure what the stand-in alone can serve, and say whether that is enough for the tables to mean anything."""
    with stand_in(f"--objects={OBJECTS}") as server:
        command = [sys.executable, "-m", "benchmarks.capacity", str(server.port)]
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    capacity = float(done.stdout)
    times = capacity / fastest
    judged = "enough" if times >= ENOUGH else f"NOT ENOUGH ({ENOUGH} times are): the tables measure the stand-in, too"
    return f"Alone it serves {capacity:,.0f} objects/s, {times:.1f} times the fastest contender: {judged}."


class Client:
    """One kept-alive connection."""

    def __init__(self, port: int) -> None:
        """Connect."""
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> None:
        """Send a request."""
        self._socket.sendall(request)

    def answer(self) -> bytes:
        """Read its answer whole."""
        data = self._socket.recv(65536)
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        length = _LENGTH.search(data)
        while len(data) < end + 4 + (int(length[1]) if length else 0):
            data += self._more()
        return data

    def _more(self) -> bytes:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("the stand-in closed the connection")
        return data


def process(port: int) -> int:
    """Receive, get and delete every message; answer how many there were."""
    queues = [Client(port) for _ in range(SETS)]
    getters = [Client(port) for _ in range(SETS * BATCH)]
    count = 0
    receive = _sqs("ReceiveMessage", {"MaxNumberOfMessages": BATCH, "VisibilityTimeout": 600, "WaitTimeSeconds": 0})
    while True:
        received = [_HANDLE.findall(answer) for answer in _ask_all(queues, [receive] * SETS)]
        numbers = [int(number) for handles in received for number, _ in handles]
        if not numbers:
            return count
        for _ in _ask_all(getters, [_get(number) for number in numbers]):
            pass
        for _ in _ask_all(queues, [_delete(handles) for handles in received if handles]):
            pass
        count += len(numbers)


def _ask_all(clients: list[Client], requests: list[bytes]) -> Iterator[bytes]:
    asked = list(zip(clients, requests, strict=False))
    for client, request in asked:
        client.ask(request)
    for client, _ in asked:
        yield client.answer()


def _get(number: int) -> bytes:
    return f"GET /{BUCKET}/{key_of(number)} HTTP/1.1\r\n{_HEADERS}\r\n".encode()


def _delete(handles: list[tuple[bytes, bytes]]) -> bytes:
    entries = [
        {"Id": str(index), "ReceiptHandle": f"{number.decode()}/{receives.decode()}"}
        for index, (number, receives) in enumerate(handles)
    ]
    return _sqs("DeleteMessageBatch", {"Entries": entries})


def _sqs(action: str, asked: dict[str, object]) -> bytes:
    body = json.dumps({"QueueUrl": f"http://127.0.0.1{QUEUE_PATH}", **asked})
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{action}\r\n{_HEADERS}Content-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


if __name__ == "__main__":
    began = time.perf_counter()
    objects = process(int(sys.argv[1]))
    sys.stdout.write(f"{objects / (time.perf_counter() - began)}\n")
