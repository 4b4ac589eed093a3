"""Ctrl-C and SIGTERM: the first asks the job to finish what it has begun, the second leaves at once.

Python runs handlers in the main thread only, which may sit in a wait that a signal does not end. So both the job and
its supervisor hear of signals by a pipe, which the interpreter writes to at once, whatever the main thread does.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import FrameType

log = logging.getLogger(__name__)

ASKING = (signal.SIGINT, signal.SIGTERM)
"""What asks to stop."""
STOPPING = "stopping: what is in hand is finished, the rest goes back to the queue; a second signal leaves at once"


def install(stop: threading.Event, sentence: str = STOPPING) -> None:
    """Handle both signals from now on, for the life of the process; to be called in the main thread.

    The first one logs `sentence`.
    """
    hearing, telling = os.pipe()
    _tell(telling, ASKING)
    threading.Thread(target=_listen, args=(hearing, stop), name="signals", daemon=True).start()
    threading.Thread(target=_announce, args=(stop, sentence), name="stop-announcer", daemon=True).start()


@contextmanager
def read_signals() -> Iterator[int]:
    """Answer a descriptor from which the numbers of signals are read, a byte each: those above, and ended children."""
    hearing, telling = os.pipe()
    before = _tell(telling, (*ASKING, signal.SIGCHLD))
    try:
        yield hearing
    finally:
        signal.set_wakeup_fd(-1)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(hearing)
        os.close(telling)


def _tell(telling: int, numbers: Iterable[signal.Signals]) -> dict[signal.Signals, signal._HANDLER]:
    os.set_blocking(telling, False)
    before = {number: signal.signal(number, _on_signal) for number in numbers}
    signal.set_wakeup_fd(telling, warn_on_full_buffer=False)
    return before


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    """Only there so that the signal neither kills the process nor raises."""


def _listen(hearing: int, stop: threading.Event) -> None:
    """Count signals, not stops: a supervisor may have asked before, by its pipe, and service managers ask everybody."""
    asked = False
    while numbers := os.read(hearing, 16):
        for number in numbers:
            if number not in ASKING:
                continue
            if asked:
                os._exit(128 + number)  # as shells say it; nothing that could wait is run any more
            asked = True
            stop.set()


def _announce(stop: threading.Event, sentence: str) -> None:
    stop.wait()
    log.info("%s", sentence)
