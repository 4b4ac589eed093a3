"""The job watched from outside while it works: every number adds up, no counter goes down, and health is told."""

from __future__ import annotations

import os
import signal
import socket
import urllib.error
import urllib.request
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.command import until
from tests.integration.jobs import a_job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.command import Command
    from tests.integration.jobs import Place

TIMEOUT_S = 60
OBJECTS = 150
HOLDS = """
import time
from pathlib import Path

def a_while(content):
    time.sleep(0.01)
    return {}

def until_told(content):
    while not Path("go").exists():
        time.sleep(0.02)
    return {}
"""


def _ask(port: int, path: str) -> tuple[int, str]:
    """Answer status and body; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=TIMEOUT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()
    except OSError:
        return 0, ""


def _scrape(port: int) -> Counter[str]:
    """Add every metric up over its labels."""
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(_ask(port, "/metrics")[1]):
        for sample in family.samples:
            found[sample.name.removeprefix("sqs_pipeline_")] += sample.value
    return found


def _settled(scraped: Counter[str]) -> float:
    return sum(scraped[f"messages_{door}_total"] for door in ("stored", "ignored", "set_aside", "returned"))


def _goes_down(before: Counter[str], after: Counter[str]) -> list[str]:
    return [name for name in before if name.endswith(("_total", "_bucket", "_count")) and after[name] < before[name]]


def test_the_balance_is_zero_at_every_moment_under_load(place: Place, tmp_path: Path, port: int) -> None:
    """Each scrape while it works: received = stored + ignored + set aside + returned + in flight."""
    (tmp_path / "holds.py").write_text(HOLDS)
    place.upload(*(f"{number}.txt" for number in range(OBJECTS)))
    place.send("junk")
    options = ("--pipelines=0", f"--metrics_port={port}", "--processor=holds:a_while", "--max_in_flight=40")

    with a_job(place, tmp_path, *options) as job:
        assert until(lambda: _ask(port, "/metrics")[0] == 200, TIMEOUT_S), str(job)
        scrapes = [_scrape(port)]
        while scrapes[-1]["messages_stored_total"] < OBJECTS and len(scrapes) < 5000:
            scrapes.append(_scrape(port))
        assert until(lambda: _scrape(port)["in_flight_messages"] == 0, TIMEOUT_S), str(job)
        last = _scrape(port)
        assert (200, "ok\n") == _ask(port, "/healthz")
        assert (200, "ok\n") == _ask(port, "/readyz")
        job.signal(signal.SIGTERM)
        assert 0 == job.wait(TIMEOUT_S), str(job)

    assert {0} == {scraped["balance_messages"] for scraped in scrapes}
    assert {0} == {
        scraped["messages_received_total"] - _settled(scraped) - scraped["in_flight_messages"] for scraped in scrapes
    }
    assert any(0 < scraped["in_flight_messages"] <= 40 for scraped in scrapes)
    assert any(0 < scraped["messages_stored_total"] < OBJECTS for scraped in scrapes)
    assert [] == [name for before, after in pairwise(scrapes) for name in _goes_down(before, after)]
    assert (OBJECTS, 1) == (last["messages_stored_total"], last["messages_set_aside_total"])
    assert [OBJECTS] * 4 == [
        last[f"{what}_seconds_count"] for what in ("fetch_duration", "process_duration", "write_duration", "lag")
    ]
    assert OBJECTS + 1 == last["acknowledge_duration_seconds_count"]


def test_no_counter_goes_down_when_a_worker_is_killed_and_what_it_held_is_returned(
    place: Place, tmp_path: Path, port: int
) -> None:
    """The supervisor keeps what it said last; all pipelines together are one scrape."""
    (tmp_path / "holds.py").write_text(HOLDS)
    place.upload(*(f"{number}.txt" for number in range(20)))
    options = ("--pipelines=2", f"--metrics_port={port}", "--processor=holds:until_told", "--visibility_timeout_s=5")

    with a_job(place, tmp_path, *options) as job:
        assert until(lambda: _scrape(port)["in_flight_messages"] == 20, TIMEOUT_S), str(job)
        before, victim = _scrape(port), _a_worker_that_holds(job, port)
        assert until(lambda: _scrape(port)["worker_up"] == 2, TIMEOUT_S), str(job)
        os.kill(victim, signal.SIGKILL)
        assert until(lambda: _scrape(port)["worker_crashes_total"] == 1, TIMEOUT_S), str(job)
        crashed = _scrape(port)
        (tmp_path / "go").touch()
        assert until(lambda: _scrape(port)["messages_stored_total"] >= 20, TIMEOUT_S), str(job)
        assert until(lambda: _ask(port, "/readyz")[0] == 200, TIMEOUT_S), str(job)
        after = _scrape(port)
        job.signal(signal.SIGTERM)
        assert 0 == job.wait(TIMEOUT_S), str(job)

    assert [] == _goes_down(before, crashed) + _goes_down(crashed, after)
    assert crashed["messages_returned_total"] > 0
    assert {0} == {scraped["balance_messages"] for scraped in (before, crashed, after)}


def _a_worker_that_holds(job: Command, port: int) -> int:
    """Answer the process of the pipeline that holds the most."""
    text = _ask(port, "/metrics")[1]
    held = {
        sample.labels["pipeline"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "sqs_pipeline_in_flight_messages"
    }
    return job.children()[int(max(held, key=lambda number: held[number])) - 1]


def test_a_job_that_sqs_does_not_answer_is_alive_and_not_ready(place: Place, tmp_path: Path, port: int) -> None:
    """It waits; starting it again would not help."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody listens there, and nobody else can
        nobody = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with a_job(place, tmp_path, f"--metrics_port={port}", AWS_ENDPOINT_URL_SQS=nobody) as job:
            assert until(lambda: "SQS gives no messages" in _ask(port, "/readyz")[1], TIMEOUT_S), str(job)
            assert 503 == _ask(port, "/readyz")[0]
            assert (200, "ok\n") == _ask(port, "/healthz")
            assert until(lambda: _scrape(port)["receives_failed_total"] > 0, TIMEOUT_S), str(job)
            assert "\nsqs_pipeline_queue_backlog_messages " not in _ask(port, "/metrics")[1]


@pytest.mark.parametrize("pipelines", [0, 2])
def test_a_port_in_use_is_one_sentence_and_exit_code_2(place: Place, tmp_path: Path, pipelines: int) -> None:
    """Before anything is received."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with a_job(place, tmp_path, f"--metrics_port={port}", f"--pipelines={pipelines}") as job:
            assert 2 == job.wait(TIMEOUT_S), str(job)

    assert [f"sqs-pipeline: --metrics_port is {port} and --metrics_address is 127.0.0.1"] == [
        line.partition(";")[0] for line in job.log
    ]
