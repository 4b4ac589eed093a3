"""The pool's service: who is started, who is asked to end, and what is said of an end."""

from __future__ import annotations

import io
import socket
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from pipeline import pool_service
from pipeline.pool_service import WorkerPool, serve
from pipeline.worker_pool import PoolOptions
from tests.ports import a_free_port
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

OPTIONS = PoolOptions(log_level="WARNING", log_format="json", all_cores=True)


class _Process:
    """A worker's process, that ends when the test says so."""

    started: list[_Process]

    def __init__(self, command: list[str], *, stdin: int) -> None:
        self.command, self.stdin = command, io.BytesIO()
        self.pid, self.code = 100 + len(self.started), None
        self.started.append(self)

    def poll(self) -> int | None:
        return self.code


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> list[_Process]:
    """Start none in earnest; answer those that would have been."""
    _Process.started = []
    monkeypatch.setattr(pool_service.subprocess, "Popen", _Process)
    return _Process.started


@pytest.fixture
def free_port() -> int:
    """Answer a port at which nobody listens."""
    return a_free_port()


def _start(pool: WorkerPool, name: str) -> None:
    request: Any = SimpleNamespace(worker_id=name, control_endpoint=SimpleNamespace(url="localhost:1"))
    pool.StartWorker(request, SimpleNamespace())


def _stop(pool: WorkerPool, name: str) -> None:
    request: Any = SimpleNamespace(worker_id=name)
    pool.StopWorker(request, SimpleNamespace())


def test_a_worker_is_this_very_python_with_what_the_pool_was_told(processes: list[_Process]) -> None:
    """Not whichever `python` is first in PATH; each has a number for its log."""
    pool = WorkerPool(OPTIONS)
    _start(pool, "w")
    _start(pool, "v")

    assert [
        [sys.executable, "-m", "pipeline.pool_worker", "localhost:1", name, number, "WARNING", "json", "True"]
        for name, number in (("w", "1"), ("v", "2"))
    ] == [process.command for process in processes]


def test_a_worker_is_asked_to_end_by_the_end_of_its_input(processes: list[_Process]) -> None:
    """When the runner says so, when it asks for another instead, and when the pool stops; unknown ones are none."""
    pool = WorkerPool(OPTIONS)
    for name in ("stopped", "replaced", "replaced", "left"):
        _start(pool, name)
    _stop(pool, "stopped")
    _stop(pool, "unknown")
    assert [True, True, False, False] == [process.stdin.closed for process in processes]

    pool.ask_all()

    assert [True] * 4 == [process.stdin.closed for process in processes]
    assert not pool.is_empty


def test_the_end_of_a_worker_is_told(processes: list[_Process], caplog: pytest.LogCaptureFixture) -> None:
    """A crash as an error; the pool is empty when all have ended."""
    pool = WorkerPool(OPTIONS)
    _start(pool, "well")
    _start(pool, "crashed")
    pool.reap()
    assert not pool.is_empty
    _stop(pool, "well")
    processes[0].code, processes[1].code = 0, -9

    with caplog.at_level("INFO", "pipeline.pool_service"):
        pool.reap()

    assert [("ERROR", "worker 101 ended: killed by SIGKILL"), ("INFO", "worker 100 ended: exit code 0")] == [
        (record.levelname, record.message) for record in caplog.records
    ]
    assert pool.is_empty


@pytest.fixture
def server(free_port: int) -> Iterator[int]:
    """Serve a pool; answer its port."""
    started = serve(WorkerPool(OPTIONS), PoolOptions(port=free_port))
    yield free_port
    started.stop(grace=None).wait(10)


def test_a_runner_asks_over_grpc_and_only_one_pool_listens(server: int, processes: list[_Process]) -> None:
    """A second one at the same port would get some of the requests."""
    with grpc.insecure_channel(f"localhost:{server}") as channel:
        stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        answer = stub.StartWorker(beam_fn_api_pb2.StartWorkerRequest(worker_id="w"), timeout=30, wait_for_ready=True)

    assert ("", 1) == (answer.error, len(processes))
    with pytest.raises(UserError) as refused:
        serve(WorkerPool(OPTIONS), PoolOptions(port=server))
    sentence = f"The worker pool cannot listen at 127.0.0.1:{server}: another one does, or --bind is no address of this"
    assert f"{sentence} machine" == str(refused.value)


def test_a_pool_listens_at_an_address_of_version_6_too() -> None:
    """As it is written, without brackets."""
    port = a_free_port("::1")
    options = PoolOptions(bind="::1", port=port)
    server = serve(WorkerPool(options), options)
    try:
        socket.create_connection(("::1", port), timeout=60).close()
    finally:
        server.stop(grace=None)
