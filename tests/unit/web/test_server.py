"""The web server: what it answers, to whom, and where it cannot be."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.options import RunSettings, Settings
from pipeline.web import server
from pipeline.web.server import Web
from tests.builders import QUEUE_URL
from tests.views import a_snapshot, a_view
from transforms.failures import UserError
from transforms.settings import ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.aggregates import View

TIMEOUT_S = 60
SETTINGS = Settings(ReceiveSettings(QUEUE_URL), run=RunSettings(metrics_port=0))
DEAD = a_view(a_snapshot(flow_idle_s=99.0), number=2)


class _Site:
    """A server, and what it is told."""

    def __init__(self) -> None:
        self.views: list[View] = [a_view(a_snapshot())]
        self.web = Web(SETTINGS, lambda: self.views)

    def headers(self, path: str) -> Mapping[str, str]:
        """Answer the headers of an answer."""
        connection = http.client.HTTPConnection(self.web.url.removeprefix("http://"), timeout=TIMEOUT_S)
        try:
            connection.request("GET", path)
            return dict(connection.getresponse().headers)
        finally:
            connection.close()

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str, str]:
        """Answer status, content type and body."""
        connection = http.client.HTTPConnection(self.web.url.removeprefix("http://"), timeout=TIMEOUT_S)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, str(answer.headers["Content-Type"]), answer.read().decode()
        finally:
            connection.close()


@pytest.fixture
def site() -> Iterator[_Site]:
    """One pipeline that is well."""
    site = _Site()
    with site.web:
        yield site


def test_a_scrape_is_the_metrics_as_text(site: _Site) -> None:
    """Prometheus's own content type."""
    status, content_type, body = site.ask("/metrics")

    assert (200, "text/plain") == (status, content_type.partition(";")[0])
    assert "\nsqs_pipeline_messages_received_total 0.0\n" in body


def test_who_is_well_is_ok(site: _Site) -> None:
    """Whatever stands behind a question mark."""
    assert [(200, "ok\n")] * 3 == [
        (status, body) for status, _, body in map(site.ask, ("/healthz", "/readyz", "/healthz?verbose"))
    ]


def test_what_is_wrong_is_told_in_sentences_with_503(site: _Site) -> None:
    """Alive and ready are different questions."""
    site.views = [a_view(a_snapshot(answered_s=None, trouble="503")), DEAD]

    assert (503, "pipeline 2 has not moved for 99 s\n") == site.ask("/healthz")[::2]
    assert (503, "pipeline 1: SQS gives no messages: 503\npipeline 2 has not moved for 99 s\n") == site.ask("/readyz")[
        ::2
    ]


def test_who_asks_for_json_is_answered_in_it(site: _Site) -> None:
    """For programs."""
    well = site.ask("/healthz", Accept="application/json")
    site.views = [DEAD]
    ill = site.ask("/healthz", Accept="application/json")

    assert [200, 503] == [well[0], ill[0]]
    assert {"status": "ok", "faults": []} == json.loads(well[2])
    assert {"status": "failing", "faults": ["pipeline 2 has not moved for 99 s"]} == json.loads(ill[2])


def test_a_head_has_the_status_and_no_body(site: _Site) -> None:
    """Load balancers ask so."""
    healthy = site.ask("/healthz", "HEAD")
    site.views = [DEAD]

    assert [(200, ""), (503, "")] == [healthy[::2], site.ask("/healthz", "HEAD")[::2]]


def test_another_path_says_what_there_is(site: _Site) -> None:
    """And another method is none."""
    assert (404, "there are /, /status.json, /metrics, /healthz, /readyz\n") == site.ask("/elsewhere")[::2]
    assert 501 == site.ask("/metrics", "POST")[0]


def test_an_error_of_ours_is_told_in_the_log_and_ends_nothing(site: _Site, caplog: pytest.LogCaptureFixture) -> None:
    """The next request is answered."""
    views, site.views = site.views, [None]  # type: ignore[list-item]
    failed = site.ask("/metrics")
    site.views = views

    assert [500, 200] == [failed[0], site.ask("/metrics")[0]]
    assert "/metrics cannot be shown" in [r.message for r in caplog.records if r.levelno == logging.ERROR]


def test_what_cannot_be_remembered_is_told_in_the_log_and_ends_nothing(
    site: _Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The server goes on."""
    site.views = [None]  # type: ignore[list-item]
    site.web._server.history._due_at = 0.0
    site.web._server.service_actions()

    assert "what happens now cannot be remembered" in caplog.messages
    assert 404 == site.ask("/elsewhere")[0]


def test_the_page_is_sent_with_its_policy(site: _Site) -> None:
    """And is stored nowhere."""
    headers = site.headers("/")

    assert "text/html; charset=utf-8" == headers["Content-Type"]
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'sha256-")
    assert ("no-store", "nosniff") == (headers["Cache-Control"], headers["X-Content-Type-Options"])


def test_the_status_is_json(site: _Site) -> None:
    """It is what the page shows; scripts may read it, too."""
    status, content_type, body = site.ask("/status.json")

    assert (200, "application/json") == (status, content_type)
    assert ("waiting", [1]) == (json.loads(body)["condition"], [p["number"] for p in json.loads(body)["pipelines"]])


@pytest.mark.parametrize("path", ["/", "/status.json", "/metrics", "/readyz"])
def test_a_page_that_calls_this_machine_by_its_own_name_is_refused(site: _Site, path: str) -> None:
    """DNS rebinding; the user's browser would read it for somebody else."""
    port = site.web._server.server_address[1]
    status, _, body = site.ask(path, Host=f"evil.example:{port}")

    assert (421, f"Host is evil.example:{port}; this is http://localhost:{port}\n") == (status, body)
    assert 200 == site.ask(path, Host=f"localhost:{port}")[0]


def test_a_client_that_sends_no_request_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or anybody could fill the process with threads."""
    monkeypatch.setattr(server._Handler, "timeout", 0.01)
    site = _Site()
    with site.web, socket.create_connection(site.web._server.server_address[:2], TIMEOUT_S) as client:
        assert b"" == client.recv(1)


def test_a_client_that_goes_away_is_not_worth_a_line(site: _Site, caplog: pytest.LogCaptureFixture) -> None:
    """It happens with every probe that has a time limit."""
    with caplog.at_level(logging.INFO):
        site.web._server.handle_error(None, ("127.0.0.1", 1))

    assert [] == caplog.messages


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_it_listens_where_the_user_says(address: str) -> None:
    """IPv6, too, where there is any."""
    if address == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    with Web(replace(SETTINGS, run=RunSettings(metrics_address=address)), list) as served:
        assert served.url.startswith("http://[::1]:" if address == "::1" else "http://")


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_port_in_use_is_refused_with_both_values_and_what_to_do() -> None:
    """Before anything has started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = replace(SETTINGS, run=RunSettings(metrics_port=port))
        with pytest.raises(UserError) as refused:
            Web(settings, list)

    assert (
        f"--metrics_port is {port} and --metrics_address is 127.0.0.1; nobody can listen there: "
        "Address already in use. Choose another, or end what uses it"
    ) == str(refused.value)


def test_a_supervisor_serves_without_beam() -> None:
    """It lives long, and stays small."""
    asks = "import sys; import pipeline.supervisor, pipeline.web.server; sys.exit('apache_beam' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", asks], check=False, timeout=TIMEOUT_S).returncode
