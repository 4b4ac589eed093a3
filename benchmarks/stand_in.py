"""A fast stand-in for S3 and SQS in one process, so that a benchmark measures the job and not its servers.

It plays what the contenders use: see `s3_api.py` and `sqs_api.py`. It tells its parent on standard output when it
listens, and, with the time and its own CPU time, when the first messages were received and the last was deleted;
`GET /stats` answers counts. It ends with its standard input.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from benchmarks.http_server import Connection, Request, response
from benchmarks.payloads import body_of, key_of, notification
from benchmarks.results import Results
from benchmarks.s3_api import S3Api
from benchmarks.sqs_api import SqsApi
from benchmarks.sqs_book import SqsBook

if TYPE_CHECKING:
    from collections.abc import Callable


class StandIn:
    """Both services behind one port."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        """Make what will be served."""
        body = body_of(arguments.inflated_bytes)
        bodies = [notification(key_of(number), body) for number in range(arguments.objects)]
        self._count = len(bodies)
        self._book = SqsBook(bodies, time.monotonic)
        self._sqs = SqsApi(self._book, hold_s=arguments.hold_s, on_receive=self._received, on_delete=self._deleted)
        self._results = Results(body.counts)
        self._s3 = S3Api(body, self._results)
        self._get_s, self._sqs_s = arguments.get_ms / 1000, arguments.sqs_ms / 1000
        self._requests = 0
        self._has_begun = self._has_ended = False

    def connect(self) -> Connection:
        """Begin to serve one client."""
        return Connection(self._handle)

    def _handle(self, request: Request, connection: Connection) -> None:
        self._requests += 1
        if request.method == b"POST" and not request.path.endswith(b"?delete"):
            _later(self._sqs_s, self._sqs.handle, request, connection)
        elif request.path == b"/stats":
            connection.reply(response(b"200 OK", json.dumps(self._stats()).encode()))
        else:
            _later(self._get_s, self._s3.handle, request, connection)

    def _stats(self) -> dict[str, float]:
        return {
            "messages": self._count,
            "deleted": len(self._book.deleted),
            "received_again": self._book.received_again,
            "requests": self._requests,
            "results": self._results.stored,
            "wrong_results": self._results.wrong,
        }

    def _received(self) -> None:
        if not self._has_begun:
            self._has_begun = True
            tell(f"first_receive {time.monotonic()} {time.process_time()}")

    def _deleted(self) -> None:
        if not self._has_ended and len(self._book.deleted) == self._count:
            self._has_ended = True
            tell(f"last_delete {time.monotonic()} {time.process_time()}")


def _later(
    delay_s: float, handle: Callable[[Request, Connection], None], request: Request, connection: Connection
) -> None:
    if delay_s:
        asyncio.get_running_loop().call_later(delay_s, handle, request, connection)
    else:
        handle(request, connection)


def tell(event: str) -> None:
    """Tell the parent."""
    sys.stdout.write(f"{event}\n")
    sys.stdout.flush()


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until killed, or until the parent is gone."""
    stand_in = StandIn(arguments)
    gc.freeze()
    server = await asyncio.get_running_loop().create_server(stand_in.connect, "127.0.0.1", arguments.port, backlog=512)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tell(f"listening {server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stand_in", description=__doc__)
    parser.add_argument("--objects", type=int, default=5000, help="objects, each with its message")
    parser.add_argument("--inflated_bytes", type=int, default=0, help="inflated size of each, if more than 80,000")
    parser.add_argument("--get_ms", type=float, default=0, help="latency of each GET")
    parser.add_argument("--sqs_ms", type=float, default=0, help="latency of each SQS call")
    parser.add_argument("--hold_s", type=float, default=0, help="time to the first message, from the first receive")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    return parser.parse_args(argv)


if __name__ == "__main__":
    asyncio.run(serve(parse()))
