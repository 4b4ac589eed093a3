"""The worker pool's command: its options, its signals and its end."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import pytest

from pipeline import pool_service, worker_pool
from pipeline.worker_pool import PoolOptions, main
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Callable


class _Left(BaseException):
    """Stands in for the end of the process."""


class _Pool:
    """A pool whose workers need `looks` signals' time to end."""

    def __init__(self, looks: int) -> None:
        self.looks, self.asked, self.options = looks, 0, PoolOptions()

    @property
    def is_empty(self) -> bool:
        return self.looks <= 0

    def ask_all(self) -> None:
        self.asked += 1

    def reap(self) -> None:
        self.looks -= 1
        if self.asked and not self.is_empty:
            os.kill(os.getpid(), signal.SIGCHLD)  # as the end of a worker does


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "configure", lambda level, log_format: None)


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[_Pool, list[str]]]:
    """Put another pool in place of the real one; it is asked to stop as soon as it serves."""

    def serve_with(looks: int, *signals: int) -> tuple[_Pool, list[str]]:
        pool, told = _Pool(looks), []

        def serve(served: _Pool, options: PoolOptions) -> SimpleNamespace:
            served.options = options
            for number in signals:
                os.kill(os.getpid(), number)
            return SimpleNamespace(stop=lambda grace: told.append(f"stopped listening, {grace=}"))

        monkeypatch.setattr(pool_service, "serve", serve)
        monkeypatch.setattr(pool_service, "WorkerPool", lambda options: pool)
        return pool, told

    return serve_with


def test_it_serves_until_a_signal_and_waits_for_its_workers(
    serving: Callable[..., tuple[_Pool, list[str]]],
) -> None:
    """Exit code 0; no new worker is started meanwhile."""
    pool, told = serving(3, signal.SIGTERM)

    assert 0 == main(["--port=50001", "--all_cores", "--log_level=WARNING"], {})
    assert (1, ["stopped listening, grace=None"]) == (pool.asked, told)
    assert PoolOptions(port=50001, all_cores=True, log_level="WARNING") == pool.options


def test_a_second_signal_leaves_at_once(
    serving: Callable[..., tuple[_Pool, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers see the end of this process."""

    def leave(code: int) -> NoReturn:
        raise _Left(code)

    monkeypatch.setattr(worker_pool.os, "_exit", leave)
    serving(1000, signal.SIGTERM, signal.SIGINT)

    with pytest.raises(_Left):
        main([], {})


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("--prot=1", "--prot is not an option; did you mean --port?"),
        ("--port=0", "--port is 0; TCP allows 1 to 65535"),
        ("--output=x", "--output is not an option; --help lists the options"),
    ],
)
def test_a_mistake_is_one_sentence(argument: str, sentence: str) -> None:
    """As with the job."""
    with pytest.raises(UserError) as refused:
        main([argument], {})

    assert sentence == str(refused.value)
