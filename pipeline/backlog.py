"""How much waits in the queue, asked once a minute."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, TypedDict

from transforms.failures import QueueError

if TYPE_CHECKING:
    from transforms.queues import Queue

log = logging.getLogger(__name__)

ASK_EVERY_S = 60.0


class QueueState(TypedDict):
    """What the queue says of itself, in plain JSON; about right, as SQS says."""

    at: float
    """Seconds since 1970."""
    visible: int
    hidden: int
    delayed: int


class Backlog:
    """Asks `queue` in a thread of its own, from now on."""

    def __init__(self, queue: Queue, ended: threading.Event, *, every_s: float = ASK_EVERY_S) -> None:
        """It ends when `ended` is set."""
        self._queue = queue
        self._ended = ended
        self._every_s = every_s
        self._state: QueueState | None = None
        threading.Thread(target=self._run, name="backlog", daemon=True).start()

    def state(self) -> QueueState | None:
        """Answer what the queue said last; None before, and where it says nothing."""
        return self._state

    def _run(self) -> None:
        while self._ask() and not self._ended.wait(self._every_s):
            pass

    def _ask(self) -> bool:
        """Answer whether to ask again: who has no such number, a listing or a recording, will never have one."""
        try:
            attributes = self._queue.attributes()
        except QueueError as error:  # /readyz and the pollers' log tell of it; an old number would tell a lie
            log.debug("the queue does not say how much waits in it: %s", error.detail)
            self._state = None
            return True
        if "ApproximateNumberOfMessages" not in attributes:
            return False
        self._state = {
            "at": time.time(),
            "visible": int(attributes["ApproximateNumberOfMessages"]),
            "hidden": int(attributes.get("ApproximateNumberOfMessagesNotVisible", 0)),
            "delayed": int(attributes.get("ApproximateNumberOfMessagesDelayed", 0)),
        }
        return True
