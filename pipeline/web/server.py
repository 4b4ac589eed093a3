"""The small web server of `--metrics_port`: the status page, `/metrics` for Prometheus, `/healthz` and `/readyz`.

One address, bound to this machine unless the user says otherwise; it reads, and nothing here changes the job.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Self

from pipeline.web.crowds import CrowdedServer
from pipeline.web.history import History
from pipeline.web.hosts import is_meant
from pipeline.web.pages import pages_of, text
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.aggregates import View
    from pipeline.options import Settings
    from pipeline.web.pages import Answer, Page

log = logging.getLogger(__name__)

REQUEST_S = 10.0
"""How long a client may take for its request, or to read the answer."""

Look = Callable[[], "Sequence[View]"]
"""Answers the pipelines as they are now."""


class Web:
    """Serves what `look` answers, in threads of its own, until it is closed."""

    def __init__(self, settings: Settings, look: Look) -> None:
        """Raises `UserError` if the address cannot be used."""
        host, port = settings.run.metrics_address, settings.run.metrics_port
        self._server = _listening(host, port)
        self._server.address = host
        self._server.history = History()
        self._server.pages = pages_of(settings, self._server.history)
        self._server.look = look
        threading.Thread(target=self._server.serve_forever, name="web", daemon=True).start()
        log.info("the status page is at %s/, metrics at %s/metrics", self.url, self.url)

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


class _Server(CrowdedServer):
    pages: Mapping[str, Page]
    look: Look
    history: History
    address: str
    """As the user says it."""

    def server_bind(self) -> None:
        """Without http.server's question to the DNS about the host's name, which may take long."""
        TCPServer.server_bind(self)

    def service_actions(self) -> None:
        """Remember how it is now, twice a second at most; `serve_forever` calls this."""
        try:
            self.history.sample(self.look)
        except Exception:  # without it the server would end
            log.exception("what happens now cannot be remembered")

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
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(self) -> Answer:
        host, (bound_to, port) = self.headers.get("Host"), self.server.server_address[:2]
        if not is_meant(host, bound_to=str(bound_to), address=self.server.address):
            return text(HTTPStatus.MISDIRECTED_REQUEST, f"Host is {host}; this is http://localhost:{port!s}")
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            return text(HTTPStatus.NOT_FOUND, f"there are {', '.join(self.server.pages)}")
        try:
            return page(self.server.look(), self.headers.get("Accept", ""))
        except Exception:
            log.exception("%s cannot be shown", self.path)
            return text(HTTPStatus.INTERNAL_SERVER_ERROR, "the log says why")


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
