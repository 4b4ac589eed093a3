"""A bounded pool of threads that is handed work and hands back what is complete, and never makes its caller wait."""

from __future__ import annotations

import queue
import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
R = TypeVar("R")


class WorkPool(Generic[T, R]):
    """`threads` daemon threads that call `work`, which must not raise. Leases bound what waits here."""

    def __init__(self, work: Callable[[T], R], *, threads: int, name: str) -> None:
        """Threads start when there is work for them."""
        self._work = work
        self._limit = threads
        self._name = name
        self._waiting: queue.SimpleQueue[T | None] = queue.SimpleQueue()
        self._complete: deque[R] = deque()
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()

    def submit(self, item: T) -> None:
        """Hand over one piece of work."""
        self._waiting.put(item)
        if len(self._threads) < self._limit:
            self._start_thread()

    def completed(self) -> Iterator[R]:
        """Hand back what is complete by now, in completion order; not what is completed while that is processed."""
        return drained(self._complete)

    def close(self) -> None:
        """Let the threads end when they are done with what they were handed."""
        for _ in self._threads:
            self._waiting.put(None)

    def _start_thread(self) -> None:
        with self._starting:
            if len(self._threads) >= self._limit:
                return
            thread = threading.Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            self._complete.append(self._work(item))


def drained(items: deque[T]) -> Iterator[T]:
    """Take what is in `items` by now; several threads may do so at once, and each item is taken once.

    What comes later is left: whoever took until nothing is left would do nothing else for as long as more comes.
    """
    for _ in range(len(items)):
        try:
            yield items.popleft()
        except IndexError:  # another copy of the step took it
            return
