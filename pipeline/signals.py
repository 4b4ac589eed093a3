"""Ctrl-C and SIGTERM: the first asks the job to finish what it has begun, the second leaves at once."""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ASKING = (signal.SIGINT, signal.SIGTERM)
"""The signals that ask a job to stop."""

log = logging.getLogger(__name__)


def install(stop: threading.Event) -> None:
    """Handle both signals from now on, in the main thread.

    That thread must never wait on `stop` itself: a handler runs in the middle of whatever it does.
    """

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)  # as shells say it; nothing that could wait is run any more
        stop.set()

    for number in ASKING:
        signal.signal(number, on_signal)
    threading.Thread(target=_announce, args=(stop,), name="stop-announcer", daemon=True).start()


def _announce(stop: threading.Event) -> None:
    # Not in the handler: it may have interrupted a log line, and streams cannot be entered twice.
    stop.wait()
    log.info("stopping: what is in hand is finished, the rest goes back to the queue; a second signal leaves at once")


@contextmanager
def read_signals() -> Iterator[int]:
    """Answer a descriptor from which the numbers of signals are read, a byte each: those above, and ended children."""
    wake, write = os.pipe()
    os.set_blocking(write, False)
    before = {number: signal.signal(number, lambda *_: None) for number in (*ASKING, signal.SIGCHLD)}
    signal.set_wakeup_fd(write)
    try:
        yield wake
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(wake)
        os.close(write)
