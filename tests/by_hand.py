"""Stand-ins that let a test drive by hand what runs in threads: no thread, no waiting, no sleep."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from transforms.batches import Batcher
from transforms.queues import Message, Receipt, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


class BatcherByHand(Batcher[T]):
    """Sends when it is flushed or closed, in the caller's thread, in batches of the same size."""

    def __init__(
        self, send: Callable[[list[T]], None], *, size: int, threads: int, max_age_s: float, name: str
    ) -> None:
        self._send = send
        self._size = size
        self._items: list[T] = []

    def put(self, item: T) -> None:
        self._items.append(item)

    def flush(self) -> None:
        while self._items:
            batch, self._items = self._items[: self._size], self._items[self._size :]
            self._send(batch)

    def close(self, *, timeout_s: float) -> None:
        self.flush()


class Waits(threading.Event):
    """An event for which nobody waits in earnest; a wait in vain may have an effect."""

    def __init__(self, in_vain: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.timeouts_s: list[float | None] = []
        self._in_vain = in_vain

    def wait(self, timeout: float | None = None) -> bool:
        self.timeouts_s.append(timeout)
        if not self.is_set():
            self._in_vain()
        return self.is_set()


class QueueNobodyAsks:
    """A queue of which a test implements what it asks."""

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        raise NotImplementedError

    def delete(self, receipts: Sequence[Receipt]) -> list[Refusal]:
        raise NotImplementedError

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        raise NotImplementedError

    def attributes(self) -> dict[str, str]:
        raise NotImplementedError

    def has_more(self) -> bool:
        return False


class Desk(QueueNobodyAsks):
    """A queue that notes deletes and returns, and answers them as a test says."""

    EXPIRED = "ReceiptHandleIsInvalid"

    def __init__(self) -> None:
        self.deleted: list[list[str]] = []
        """The receipt handles of each request."""
        self.returned: list[dict[str, int]] = []
        """The delays of each request, by receipt handle."""
        self.answers: list[dict[str, str] | Exception] = []
        """Refused message ids and their codes; without a script nothing is refused."""
        self.meanwhile: Callable[[], object] = lambda: None
        """What happens while a request is under way."""

    def delete(self, receipts: Sequence[Receipt]) -> list[Refusal]:
        self.deleted.append([receipt.receipt_handle for receipt in receipts])
        return self._answer()

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        self.returned.append({r.receipt_handle: seconds for r, seconds in zip(receipts, timeouts_s, strict=True)})
        return self._answer()

    def _answer(self) -> list[Refusal]:
        self.meanwhile()
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, Exception):
            raise answer
        return [Refusal(message_id, code, expired=code == self.EXPIRED) for message_id, code in answer.items()]
