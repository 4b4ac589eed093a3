"""The end of a worker whose job is elsewhere: what it waits for, what it gives back, what it says."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

import grpc
import pytest
from apache_beam.runners.worker import sdk_worker

from pipeline import pool_worker
from tests.builders import QUEUE_URL
from tests.by_hand import Desk
from transforms.consumers import Consumer
from transforms.process_wide import ProcessWide
from transforms.settings import LeaseSettings, ReceiveSettings
from transforms.stopping import JOB_IS_ELSEWHERE, STOP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ARGUMENTS = ["localhost:1", "worker-1", "3", "INFO", "text"]
JOIN_S = 30


@pytest.fixture(autouse=True)
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Keep this process, its signals, its log and its core; answer the exit codes."""
    codes: list[int] = []
    monkeypatch.setattr(pool_worker.os, "_exit", codes.append)
    monkeypatch.setattr(pool_worker.logging, "shutdown", lambda: None)
    monkeypatch.setattr(pool_worker.signals, "install", lambda stop: None)
    monkeypatch.setattr(pool_worker, "configure", lambda level, log_format, *, pipeline: None)
    monkeypatch.setattr(pool_worker.one_core, "keep", lambda number, ended: None)
    return codes


@pytest.fixture
def pool_end(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Answer what ends the pool, as the worker's input sees it; it ends with the test at the latest."""
    others = set(threading.enumerate())
    ends = threading.Event()

    def read(_size: int) -> bytes:
        ends.wait(JOIN_S)
        return b""

    monkeypatch.setattr(pool_worker.sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=read)))
    yield ends
    ends.set()
    for thread in set(threading.enumerate()) - others:
        thread.join(JOIN_S)


@dataclass
class _Harness:
    """Beam's, that serves until the test ends it."""

    run_as: Callable[[], None]
    made_with: dict[str, object] = field(default_factory=dict)

    def __call__(self, control_endpoint: str, **settings: object) -> _Harness:
        self.made_with = {"control_endpoint": control_endpoint, **settings}
        return self

    def run(self) -> None:
        self.run_as()


class _RpcError(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE


def _fail(error: Exception) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("run", "line"),
    [
        pytest.param(lambda: None, None, id="the job is over"),
        pytest.param(_fail(_RpcError()), "the runner at localhost:1 is gone: UNAVAILABLE", id="the runner died"),
        pytest.param(
            _fail(grpc.FutureTimeoutError()), "the runner at localhost:1 is gone: no answer", id="no runner is there"
        ),
        pytest.param(_fail(RuntimeError("no")), "the worker failed", id="the unforeseen"),
    ],
)
def test_a_worker_that_is_not_needed_any_more_says_what_it_did_and_ends(
    run: Callable[[], None],
    line: str | None,
    exits: list[int],
    pool_end: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """However it is over: exit code 0, and its sources were told that the job goes on elsewhere."""
    harness = _Harness(run)
    monkeypatch.setattr(sdk_worker, "SdkHarness", harness)

    with caplog.at_level("INFO", "pipeline.pool_worker"):
        pool_worker.main([*ARGUMENTS, "False"])

    assert {"control_endpoint": "localhost:1", "worker_id": "worker-1", "data_buffer_time_limit_ms": -1} == (
        harness.made_with
    )
    assert ([0], True) == (exits, JOB_IS_ELSEWHERE.is_set())
    summary = "stopped: 0 received = 0 stored + 0 ignored + 0 set aside + 0 returned"
    assert [*filter(None, [line]), summary] == [record.message for record in caplog.records]


def test_the_end_of_the_pool_is_the_request_to_stop(
    exits: list[int], pool_end: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it was killed."""
    ran = threading.Event()
    monkeypatch.setattr(sdk_worker, "SdkHarness", _Harness(lambda: ran.wait(JOIN_S) and None))
    worker = threading.Thread(target=pool_worker.main, args=([*ARGUMENTS, "True"],), daemon=True)
    worker.start()
    assert not STOP.is_set()

    pool_end.set()

    assert STOP.wait(JOIN_S)
    ran.set()
    worker.join(JOIN_S)
    assert [0] == exits


@pytest.mark.parametrize(
    ("receives_nothing_more", "open_count", "flows", "has_left"),
    [(False, 0, True, False), (True, 1, True, False), (True, 0, True, True), (True, 1, False, True)],
)
def test_what_is_in_hand_is_waited_for_while_elements_flow(
    receives_nothing_more: bool,  # noqa: FBT001
    open_count: int,
    flows: bool,  # noqa: FBT001
    has_left: bool,  # noqa: FBT001
) -> None:
    """A receive under way is waited for in any case, since SQS may hide messages for it."""
    consumer = SimpleNamespace(receives_nothing_more=receives_nothing_more, book=SimpleNamespace(open_count=open_count))
    flow_ended = threading.Event()
    if not flows:
        flow_ended.set()

    assert has_left == pool_worker._has_left(consumer, flow_ended)


def test_it_does_not_wait_longer_than_the_drain_timeout(exits: list[int]) -> None:
    """What is in hand then comes back by itself."""

    class _Busy(Consumer):
        receives_nothing_more = False

    consumer = ProcessWide(_Busy, Desk(), ReceiveSettings(QUEUE_URL), LeaseSettings(drain_timeout_s=0.1)).get()
    STOP.set()

    pool_worker._leave(threading.Event())

    assert ([0], 0) == (exits, consumer.book.open_count)


def test_bytes_on_its_input_are_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the end is."""
    monkeypatch.setattr(pool_worker.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"xy")))

    pool_worker._await_pool()

    assert STOP.is_set()
