"""The threads that ask SQS for messages, so that its latency overlaps the work."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, NamedTuple, Protocol

from transforms.backoff import Backoff
from transforms.queues import SQS_MAX_BATCH

if TYPE_CHECKING:
    from transforms.queues import Message, Queue

log = logging.getLogger(__name__)

POLLERS = 3
"""Long polls at once when the queue is busy: at 10 ms each and ten messages in each, 3,000 messages a second."""
ROOM_WAIT_S = 0.1
"""How long a poller waits for room for a full receive; then it asks for as many as have room."""


class QueueTrouble(NamedTuple):
    """Why SQS did not answer the last poll."""

    detail: str
    permanent: bool
    """Asking again cannot help: the queue is gone, or access to it."""


class Admission(Protocol):
    """Who decides how many messages may come, and takes them."""

    def await_room(self, timeout_s: float) -> bool:
        """Wait until a full receive has room; answer whether it has."""

    def reserve(self) -> int:
        """Reserve room for 0 to 10 messages."""

    def admit(self, messages: list[Message], *, reserved: int, asked_at: float) -> None:
        """Take what came for a reservation; less than reserved frees the rest."""

    def receive_failed(self, reserved: int) -> None:
        """Free a reservation for which SQS had no answer."""

    def now(self) -> float:
        """Seconds, by the clock of the leases."""


class Pollers:
    """`POLLERS` threads; the first always polls, the others join while receives come back full.

    No error ends a thread: it waits longer and longer, and says once that there is trouble and once that it is over.
    """

    def __init__(
        self, queue: Queue, admission: Admission, *, wait_time_s: int, visibility_timeout_s: int, stop: threading.Event
    ) -> None:
        """Nothing runs until `start`."""
        self._queue = queue
        self._admission = admission
        self._wait_time_s = wait_time_s
        self._visibility_timeout_s = visibility_timeout_s
        self._stop = stop
        self._closed = threading.Event()
        self._busy = threading.Event()
        self.trouble: QueueTrouble | None = None
        """What the last poll that was answered says."""
        self._threads = [
            threading.Thread(target=self._run, args=(number,), name=f"poller-{number}", daemon=True)
            for number in range(POLLERS)
        ]

    @property
    def closed(self) -> bool:
        """Whether no new poll will begin."""
        return self._closed.is_set()

    @property
    def ended(self) -> bool:
        """Whether no poll is under way and none will be."""
        return self._over() and not any(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Begin to poll."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ask the threads to end; a poll under way is awaited by `ended`."""
        self._closed.set()
        self._busy.set()

    def _over(self) -> bool:
        return self._stop.is_set() or self._closed.is_set()

    def _run(self, number: int) -> None:
        backoff = Backoff(base_s=0.5, max_s=30)
        while not self._over():
            if number and (not self._busy.wait(ROOM_WAIT_S) or self._over()):  # a close wakes it, too
                continue
            has_room = self._admission.await_room(ROOM_WAIT_S)  # a receive for one message costs as much as for ten
            reserved = self._admission.reserve()
            if not reserved:
                if has_room:  # something else forbids it
                    self._stop.wait(ROOM_WAIT_S)
                continue
            if self._poll(reserved):
                backoff.reset()
            else:
                self._stop.wait(backoff.next_delay())

    def _poll(self, reserved: int) -> bool:
        """Ask once; answer whether SQS did."""
        asked_at = self._admission.now()
        try:
            messages = self._queue.receive(
                max_messages=reserved, wait_s=self._wait_time_s, visibility_timeout_s=self._visibility_timeout_s
            )
        except Exception as error:  # noqa: BLE001 - a thread that died of the unforeseen would end the job's work in silence
            self._admission.receive_failed(reserved)
            if self.trouble is None:
                log.warning("SQS does not answer, asking again with growing delays: %s", error)
            self.trouble = QueueTrouble(str(error), permanent=getattr(error, "permanent", False))
            return False
        if self.trouble is not None:
            log.warning("SQS answers again")
            self.trouble = None
        self._admission.admit(messages, reserved=reserved, asked_at=asked_at)  # first: it may say that no more may come
        if len(messages) >= min(reserved, SQS_MAX_BATCH):
            self._busy.set()
        elif not self._closed.is_set():
            self._busy.clear()
        return True
