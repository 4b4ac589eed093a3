"""How many bytes of contents may be in memory at once, whichever thread fetched them."""

from __future__ import annotations

import threading
from collections import deque

LOOK_AGAIN_S = 1.0


class _Turn:
    """One who waits for `size` bytes. Compared by identity."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.has_come = threading.Event()


class ByteBudget:
    """Bytes that are reserved before they are used. Safe to call from several threads.

    First come, first served: a large reservation is not overtaken for ever by small ones.
    """

    def __init__(self, limit: int) -> None:
        """Admit reservations of `limit` bytes in all."""
        self._limit = limit
        self._used = 0
        self._lock = threading.RLock()  # garbage collection may release in a thread that has it
        self._waiting: deque[_Turn] = deque()

    @property
    def used(self) -> int:
        """Bytes that are reserved now; more than the limit only while one reservation is larger than it."""
        return self._used

    def acquire(self, size: int) -> Reservation:
        """Wait until `size` bytes fit and reserve them; more than the whole limit is admitted alone.

        Never call it while holding a reservation, nor from a thread that others need to release theirs.
        """
        if size > 0 and not self._take_at_once(size):
            self._await_turn(_Turn(size))
        return Reservation(self, size)

    def take_now(self, size: int, *, beside: int) -> bool:
        """Reserve `size` bytes for whoever has `beside`, if they fit or there is nobody else; never wait."""
        with self._lock:
            fits = self._used == beside or self._used + size <= self._limit
            if fits:
                self._used += size
        return fits

    def release(self, size: int) -> None:
        """Give `size` bytes back."""
        with self._lock:
            self._used -= size
            self._hand_out()

    def _take_at_once(self, size: int) -> bool:
        with self._lock:
            return not self._waiting and self._take(size)

    def _await_turn(self, turn: _Turn) -> None:
        with self._lock:
            self._waiting.append(turn)
            self._hand_out()
        try:
            # Garbage collection may release in this very thread while it hands out, unheard: look again.
            while not turn.has_come.wait(LOOK_AGAIN_S):
                with self._lock:
                    self._hand_out()
        except BaseException:
            self._leave(turn)
            raise

    def _leave(self, turn: _Turn) -> None:
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                self._hand_out()
            else:
                self.release(turn.size)

    def _take(self, size: int) -> bool:
        fits = self._used == 0 or self._used + size <= self._limit
        if fits:
            self._used += size
        return fits

    def _hand_out(self) -> None:
        """Reserve for those who are next, and wake them and nobody else: ninety may wait, and most in vain."""
        while self._waiting and self._take(self._waiting[0].size):
            self._waiting.popleft().has_come.set()


class Reservation:
    """Bytes that were reserved. One owner at a time."""

    def __init__(self, budget: ByteBudget, size: int) -> None:
        """Made by `ByteBudget.acquire`."""
        self._budget = budget
        self.size = size
        """Bytes still reserved."""

    def grow(self, size: int) -> bool:
        """Reserve `size` bytes more if that needs no waiting; answer whether. To wait here could be a deadlock."""
        has_grown = self._budget.take_now(size, beside=self.size)
        if has_grown:
            self.size += size
        return has_grown

    def shrink(self, size: int) -> None:
        """Keep `size` bytes, at most what is reserved, and give back the others."""
        surplus = self.size - size
        if surplus > 0:
            self.size = size
            self._budget.release(surplus)

    def release(self) -> None:
        """Give everything back; again is harmless."""
        self.shrink(0)
