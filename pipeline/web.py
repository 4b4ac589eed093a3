"""The small web server of `--metrics_port`: `/metrics` for Prometheus, `/healthz` and `/readyz` for whoever starts it.

One address, bound to this machine unless the user says otherwise; it reads, and nothing here changes the job.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Self

from pipeline.health import wrong_with_life, wrong_with_work
from pipeline.prometheus import metrics_text
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.aggregates import View
    from pipeline.options import Settings

log = logging.getLogger(__name__)

REQUEST_S = 10.0
"""How long a client may take for its request, or to read the answer."""

Look = Callable[[], "Sequence[View]"]
"""Answers the pipelines as they are now."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: HTTPStatus
    content_type: str
    body: bytes


Page = Callable[["Sequence[View]", str], Answer]
"""Makes an answer of the pipelines and the request's `Accept`."""


class Web:
    """Serves what `look` answers, in threads of its own, until it is closed."""

    def __init__(self, settings: Settings, look: Look) -> None:
        """Raises `UserError` if the address cannot be used."""
        host, port = settings.run.metrics_address, settings.run.metrics_port
        self._server = _listening(host, port)
        self._server.pages = _pages(settings)
        self._server.look = look
        threading.Thread(target=self._server.serve_forever, name="web", daemon=True).start()
        log.info("metrics are at %s/metrics", self.url)

    @property
    def url(self) -> str:
        """Where it is, without a path."""
        host, port = self._server.server_address[:2]
        return f"http://{f'[{host!s}]' if ':' in str(host) else host!s}:{port}"

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close it."""
        self.close()


def _pages(settings: Settings) -> Mapping[str, Page]:
    def metrics(views: Sequence[View], accept: str) -> Answer:
        body, content_type = metrics_text(views, accept)
        return Answer(HTTPStatus.OK, content_type, body)

    def alive(views: Sequence[View], accept: str) -> Answer:
        return _health(wrong_with_life(views), accept)

    def ready(views: Sequence[View], accept: str) -> Answer:
        return _health(wrong_with_work(views, wait_time_s=settings.receive.wait_time_s), accept)

    return {"/metrics": metrics, "/healthz": alive, "/readyz": ready}


def _health(faults: list[str], accept: str) -> Answer:
    """Say it as text, or as JSON if that is asked for."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
    if "application/json" in accept:
        body = json.dumps({"status": "failing" if faults else "ok", "faults": faults}) + "\n"
        return Answer(status, "application/json", body.encode())
    return _text(status, "\n".join(faults) or "ok")


def _text(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{text}\n".encode(errors="backslashreplace"))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    pages: Mapping[str, Page]
    look: Look

    def server_bind(self) -> None:
        """Without http.server's question to the DNS about the host's name, which may take long."""
        TCPServer.server_bind(self)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - its signature
        """A client that went away, mostly; ours are answered with 500."""
        log.debug("a request was not answered: %s", sys.exc_info()[1])


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_S
    server: _Server

    def version_string(self) -> str:
        """Nobody needs to know more."""
        return "sqs-pipeline"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - its signature
        log.debug(format, *args)

    def do_GET(self) -> None:
        answer = self._answer()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self) -> Answer:
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            return _text(HTTPStatus.NOT_FOUND, f"there are {', '.join(self.server.pages)}")
        try:
            return page(self.server.look(), self.headers.get("Accept", ""))
        except Exception:
            log.exception("%s cannot be shown", self.path)
            return _text(HTTPStatus.INTERNAL_SERVER_ERROR, "the log says why")


def _listening(host: str, port: int) -> _Server:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        kind = type("_ServerOf", (_Server,), {"address_family": family})
        return kind(address[:2], _Handler)  # type: ignore[no-any-return]
    except OSError as error:
        raise UserError(
            f"--metrics_port is {port} and --metrics_address is {host}; nobody can listen there: {error.strerror}. "
            "Choose another, or end what uses it"
        ) from error
