"""The first signal asks, the second leaves."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.signals import install

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """A request to stop of this test alone; the handlers of pytest come back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    event = threading.Event()
    install(event)
    yield event
    event.set()
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_the_job_to_stop(stop: threading.Event, number: signal.Signals) -> None:
    """Nothing is interrupted."""
    signal.raise_signal(number)

    assert stop.is_set()


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_second_signal_leaves_at_once(
    stop: threading.Event, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, exit_code: int
) -> None:
    """Whichever the first was."""
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)

    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(number)

    assert [exit_code] == left


def test_a_stop_is_announced(stop: threading.Event, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever pressed Ctrl-C sees that it was heard, and what else to do."""
    (announcer,) = (thread for thread in threading.enumerate() if thread.name == "stop-announcer" and thread.is_alive())

    with caplog.at_level(logging.INFO):
        signal.raise_signal(signal.SIGINT)
        announcer.join(10)

    assert [
        "stopping: what is in hand is finished, the rest goes back to the queue; a second signal leaves at once"
    ] == caplog.messages
