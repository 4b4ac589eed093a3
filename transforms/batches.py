"""Things to send in batches: as many as the receiver takes at once, but none kept longer than a moment."""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Batcher(Generic[T]):
    """Collects items and calls `send` with up to `size` of them, from `threads` background threads at once.

    `send` must not raise. Nothing waits here for longer than `max_age_s` before a thread is free for it.
    """

    def __init__(
        self, send: Callable[[list[T]], None], *, size: int, threads: int, max_age_s: float, name: str
    ) -> None:
        """Threads start at once: there are few."""
        self._send = send
        self._size = size
        self._max_age_s = max_age_s
        self._lock = threading.Lock()
        self._partial: list[T] = []
        self._begun = threading.Event()
        self._closed = threading.Event()
        self._full: queue.SimpleQueue[list[T] | None] = queue.SimpleQueue()
        self._senders = [
            threading.Thread(target=self._run, name=f"{name}-{number}", daemon=True) for number in range(threads)
        ]
        for thread in [*self._senders, threading.Thread(target=self._flush_old, name=f"{name}-flush", daemon=True)]:
            thread.start()

    def put(self, item: T) -> None:
        """Add one item; never waits."""
        with self._lock:
            self._partial.append(item)
            if len(self._partial) >= self._size:
                self._hand_over()
                return
            begins = len(self._partial) == 1
        if begins:
            self._begun.set()

    def flush(self) -> None:
        """Send what there is without waiting for more."""
        with self._lock:
            if self._partial:
                self._hand_over()

    def close(self, *, timeout_s: float) -> None:
        """Send what there is and let the threads end; wait for that up to `timeout_s`."""
        self.flush()
        self._closed.set()
        self._begun.set()
        for _ in self._senders:
            self._full.put(None)
        until = time.monotonic() + timeout_s
        for thread in self._senders:
            thread.join(max(0.0, until - time.monotonic()))

    def _hand_over(self) -> None:
        self._full.put(self._partial)
        self._partial = []

    def _flush_old(self) -> None:
        while not self._closed.is_set():
            self._begun.wait()
            self._begun.clear()
            self._closed.wait(self._max_age_s)
            self.flush()

    def _run(self) -> None:
        while (batch := self._full.get()) is not None:
            self._send(batch)
