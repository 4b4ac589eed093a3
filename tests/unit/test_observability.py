"""Who looks on, and how: a supervisor by its pipe, anybody else by the port."""

from __future__ import annotations

import json
import os
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import observability
from pipeline.observability import observed
from pipeline.options import RunSettings, Settings
from pipeline.worker import Worker
from tests.builders import QUEUE_URL
from tests.fakes import FakeClock, FakeQueue
from tests.ports import a_free_port
from transforms.events import EVENTS
from transforms.failures import UserError
from transforms.settings import ReceiveSettings

if TYPE_CHECKING:
    from pipeline.outside import Outside

TIMEOUT_S = 60


@dataclass
class _Outside:
    """A queue, and nothing else."""

    queue: Any = None

    def get(self) -> FakeQueue:
        return FakeQueue(clock=FakeClock())


def _outside() -> Outside:
    outside: Any = _Outside()
    outside.queue = outside
    return outside  # type: ignore[no-any-return]


def _settings(port: int = 0, runner: str = "DirectRunner") -> Settings:
    return Settings(ReceiveSettings(QUEUE_URL), run=RunSettings(metrics_port=port, runner=runner))


def test_unless_it_is_asked_for_nobody_looks_on() -> None:
    """Not even the queue is opened."""
    with observed(_settings(), None, None, workers_here=True):  # type: ignore[arg-type]
        pass


def test_a_process_without_a_supervisor_serves_itself() -> None:
    """What it is now, at each request; and nothing afterwards."""
    port = a_free_port()
    url = f"http://127.0.0.1:{port}/metrics"

    with observed(_settings(port), _outside(), None, workers_here=True):
        EVENTS.received(3)
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            text = answer.read().decode()

    assert "\nsqs_pipeline_messages_received_total 3.0\n" in text
    assert '\nsqs_pipeline_worker_up{pipeline="1"} 1.0\n' in text
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=TIMEOUT_S)


def test_a_worker_tells_its_supervisor_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """In lines that begin and end."""
    monkeypatch.setattr(observability, "TELL_EVERY_S", 0.001)
    reports, report = os.pipe()
    EVENTS.received(3)

    with os.fdopen(reports) as said:
        with observed(_settings(9090), _outside(), Worker(1, 1, -1, report), workers_here=True):
            words = [json.loads(said.readline()) for _ in range(3)]
        os.close(report)

    assert [["snapshot"]] * 3 == [list(word) for word in words]
    assert {"received": 3} == words[0]["snapshot"]["tally"]["counts"]


def test_on_a_cluster_nobody_could_look_on() -> None:
    """A port that shows nothing would be a lie; the runner has the counters."""
    with (
        pytest.raises(UserError) as refused,
        observed(_settings(9090, "FlinkRunner"), _outside(), None, workers_here=False),
    ):
        pytest.fail("it began")

    assert str(refused.value).startswith("--metrics_port is 9090, and FlinkRunner runs the steps elsewhere")
