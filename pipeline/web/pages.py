"""What is at each path of the small web server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from pipeline.web.health import wrong_with_life, wrong_with_work
from pipeline.web.prometheus import metrics_text
from pipeline.web.status import status_of
from pipeline.web.status_page import status_page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.aggregates import View
    from pipeline.options import Settings
    from pipeline.web.history import History


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Beside those that every answer has."""


Page = Callable[["Sequence[View]", str], Answer]
"""Makes an answer of the pipelines and the request's `Accept`."""


def pages_of(settings: Settings, history: History) -> Mapping[str, Page]:
    """Answer every page by its path; `history` is that of the pipelines that they are shown."""

    def page(_views: Sequence[View], _accept: str) -> Answer:
        body, headers = status_page()
        return Answer(HTTPStatus.OK, "text/html; charset=utf-8", body, headers)

    def status(views: Sequence[View], _accept: str) -> Answer:
        body = json.dumps(status_of(views, history, settings)) + "\n"
        return Answer(HTTPStatus.OK, "application/json", body.encode())

    def metrics(views: Sequence[View], accept: str) -> Answer:
        body, content_type = metrics_text(views, accept)
        return Answer(HTTPStatus.OK, content_type, body)

    def alive(views: Sequence[View], accept: str) -> Answer:
        return _health(wrong_with_life(views), accept)

    def ready(views: Sequence[View], accept: str) -> Answer:
        return _health(wrong_with_work(views, wait_time_s=settings.receive.wait_time_s), accept)

    return {"/": page, "/status.json": status, "/metrics": metrics, "/healthz": alive, "/readyz": ready}


def _health(faults: list[str], accept: str) -> Answer:
    """Say it as text, or as JSON if that is asked for."""
    status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
    if "application/json" in accept:
        body = json.dumps({"status": "failing" if faults else "ok", "faults": faults}) + "\n"
        return Answer(status, "application/json", body.encode())
    return text(status, "\n".join(faults) or "ok")


def text(status: HTTPStatus, sentence: str) -> Answer:
    """Say a sentence."""
    return Answer(status, "text/plain; charset=utf-8", f"{sentence}\n".encode(errors="backslashreplace"))
