"""An HTTP API to try things on: slow as they are, and it refuses its very first call."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from beside import Beside
from terminal import say, step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ANSWERS_AFTER_S = 0.2
TOKEN = "local"  # noqa: S105 - the API of this machine, for as long as an example runs
UNHAPPY = {"broken", "late"}


class LocalApi(ThreadingHTTPServer):
    """Judges a text: how many words, and whether one of them is unhappy. Started by `with`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self._counted = threading.Lock()
        self._running = self._most = 0
        self._answers: list[int] = []

    @property
    def url(self) -> str:
        """Where to POST the text."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1/review"

    def judge(self, text: str, token: str) -> tuple[int, dict[str, Any]]:
        """Answer a status and what to say; takes its time."""
        with self._counted:
            self._running += 1
            self._most = max(self._most, self._running)
        time.sleep(ANSWERS_AFTER_S)
        words = text.split()
        with self._counted:
            self._running -= 1
            status = 401 if token != f"Bearer {TOKEN}" else 200 if self._answers else 503
            self._answers.append(status)
        return status, {
            "words": len(words),
            "unhappy": not UNHAPPY.isdisjoint(words),
        } if status == HTTPStatus.OK else {}

    def seen(self) -> dict[str, Any]:
        """Answer how many calls there were, and how many at once."""
        with self._counted:
            answers, most = list(self._answers), self._most
        return {"calls answered": answers.count(200), "refused with 503": answers.count(503), "most at once": most}


class _Handler(BaseHTTPRequestHandler):
    server: LocalApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Judge what was sent."""
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        status, answer = self.server.judge(text, self.headers.get("Authorization", ""))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the job's own log is what there is to see."""


@contextlib.contextmanager
def api(_output: Path) -> Iterator[Beside]:
    """Serve until the end of the `with`."""
    step(f"Starting an API that takes {ANSWERS_AFTER_S} s for an answer, and refuses its first call")
    with LocalApi() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            say(f"listening on {server.url}")
            yield Beside(server.seen, {"API_URL": server.url, "API_TOKEN": TOKEN})
        finally:
            server.shutdown()
            thread.join()
