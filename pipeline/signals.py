"""Ctrl-C and SIGTERM: the first asks the job to finish what it has begun, the second leaves at once."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

log = logging.getLogger(__name__)


def install(stop: threading.Event) -> None:
    """Handle both signals from now on; to be called in the main thread.

    Python runs handlers in the main thread only, which may sit in a wait that a signal does not end. So a thread hears
    of signals by the pipe that the interpreter writes to at once, whatever the main thread does.
    """
    hearing, telling = socket.socketpair()
    telling.setblocking(False)
    signal.set_wakeup_fd(telling.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _on_signal)
    threading.Thread(target=_listen, args=(hearing, telling, stop), name="signals", daemon=True).start()


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    """Only there so that the signal neither kills the process nor raises."""


def _listen(hearing: socket.socket, _telling: socket.socket, stop: threading.Event) -> None:
    # The sending end is held here, or it would be closed as soon as nobody knows it.
    while numbers := hearing.recv(16):
        for number in numbers:
            if number not in (signal.SIGINT, signal.SIGTERM):
                continue
            if stop.is_set():
                os._exit(128 + number)  # as shells say it; nothing that could wait is run any more
            stop.set()
            log.info(
                "stopping: what is in hand is finished, the rest goes back to the queue; a second signal leaves at once"
            )
