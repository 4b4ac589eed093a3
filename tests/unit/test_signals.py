"""The first signal asks, the second leaves."""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.signals import install

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 10


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """A request to stop of this test alone; the handlers of pytest come back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    event = threading.Event()
    install(event)
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name == "stop-announcer":  # or it speaks in the next test
            thread.join(TIMEOUT_S)
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_the_job_to_stop(stop: threading.Event, number: signal.Signals) -> None:
    """Nothing is interrupted."""
    signal.raise_signal(number)

    assert stop.wait(TIMEOUT_S)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_leaves_at_once(
    stop: threading.Event, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, exit_code: int
) -> None:
    """Whichever the first was."""
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    monkeypatch.setattr(os, "_exit", left.put)

    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(number)

    assert exit_code == left.get(timeout=TIMEOUT_S)


def test_a_signal_is_heard_while_the_main_thread_waits_for_something_else(
    stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler alone would run when that wait ends, and a runner waits for the whole job."""
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    monkeypatch.setattr(os, "_exit", left.put)
    blocked = {signal.SIGTERM}

    def send_twice() -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wait(TIMEOUT_S)

    sender = threading.Thread(target=send_twice)
    signal.pthread_sigmask(signal.SIG_BLOCK, blocked)  # of the main thread: others take it
    try:
        sender.start()
        sender.join(TIMEOUT_S)
        code = left.get(timeout=TIMEOUT_S)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)

    assert 143 == code


def test_a_stop_is_announced(stop: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever pressed Ctrl-C sees that it was heard, and what else to do."""
    told = threading.Event()
    caplog.handler.addFilter(lambda _record: told.set() is None)

    with caplog.at_level(logging.INFO):
        signal.raise_signal(signal.SIGINT)

        assert told.wait(TIMEOUT_S)

    (line,) = caplog.messages
    assert line.startswith("stopping: what is in hand is finished")
