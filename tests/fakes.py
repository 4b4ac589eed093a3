"""In-memory stand-ins for the queue and the stores, with time in the test's hand.

`tests/integration/test_queue_contract.py` runs the same cases on `FakeQueue` and on a moto server, so that the fake
cannot drift. Steps pickle what they are given and a pickled fake is a copy: inside of Beam, reach them by name.
"""

from __future__ import annotations

import itertools
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from transforms.failures import QueueError, WriteFailedError
from transforms.queues import SQS_MAX_BATCH, Message, Receipt, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class FakeClock:
    """Seconds that pass when the test says so."""

    def __init__(self, seconds: float = 1000.0) -> None:
        self._seconds = seconds

    def __call__(self) -> float:
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._seconds += seconds


@dataclass
class _Sent:
    """One message in the queue."""

    body: str
    sent_at: datetime
    visible_at: float = 0.0
    receive_count: int = 0
    receipt_handle: str = ""


class FakeQueue:
    """A standard queue: visibility, receive counts, handles that grow old. Safe to call from several threads.

    As SQS mostly does, it takes a delete with an older handle; an older handle cannot change the visibility.
    """

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._messages: dict[str, _Sent] = {}
        self._ids = itertools.count(1)
        self._handles: dict[str, str] = {}
        self._refuse = 0
        self.takes_none = False
        """Every send fails."""

    def send(self, body: str) -> str:
        """Add a message; answer its id."""
        with self._lock:
            if self.takes_none:
                raise QueueError("the queue takes nothing")
            message_id = f"message-{next(self._ids)}"
            self._messages[message_id] = _Sent(body, datetime.fromtimestamp(self._clock(), UTC))
            return message_id

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        """Answer what is visible; it never waits, whatever `wait_s`."""
        _check_batch(max_messages)
        with self._lock:
            now = self._clock()
            visible = [item for item in self._messages.items() if item[1].visible_at <= now]
            return [self._received(*item, now + visibility_timeout_s) for item in visible[:max_messages]]

    def delete(self, receipts: Sequence[Receipt]) -> list[Refusal]:
        """Delete; a message that is gone already is no error."""
        _check_batch(len(receipts))
        with self._lock:
            return [refusal for receipt in receipts if (refusal := self._delete_one(receipt)) is not None]

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        """Change when messages become visible; refuse those that are not in flight under this handle."""
        _check_batch(len(receipts))
        with self._lock:
            entries = zip(receipts, timeouts_s, strict=True)
            return [refusal for entry in entries if (refusal := self._change_one(*entry)) is not None]

    def attributes(self) -> dict[str, str]:
        """Answer how many messages there are."""
        with self._lock:
            hidden = sum(message.visible_at > self._clock() for message in self._messages.values())
            return {
                "ApproximateNumberOfMessages": str(len(self._messages) - hidden),
                "ApproximateNumberOfMessagesNotVisible": str(hidden),
            }

    def has_more(self) -> bool:
        """Nobody knows."""
        return False

    def message_ids(self) -> set[str]:
        """Answer which messages were not deleted."""
        with self._lock:
            return set(self._messages)

    def show(self, message_id: str) -> None:
        """Make a message visible though it may be in flight, as SQS sometimes does; no error if it is gone."""
        with self._lock:
            if message_id in self._messages:
                self._messages[message_id].visible_at = 0.0

    def refuse_next(self, entries: int) -> None:
        """Do not carry out the next so many entries of batches."""
        with self._lock:
            self._refuse = entries

    def _received(self, message_id: str, sent: _Sent, visible_at: float) -> Message:
        sent.receive_count += 1
        sent.visible_at = visible_at
        sent.receipt_handle = f"{message_id}/receipt-{sent.receive_count}"
        self._handles[sent.receipt_handle] = message_id
        return Message(message_id, sent.receipt_handle, sent.body, sent.receive_count, sent.sent_at)

    def _delete_one(self, receipt: Receipt) -> Refusal | None:
        if (refusal := self._refused(receipt)) is not None:
            return refusal
        if self._handles.get(receipt.receipt_handle) != receipt.message_id:
            return Refusal(receipt.message_id, "ReceiptHandleIsInvalid", expired=True)
        self._messages.pop(receipt.message_id, None)
        return None

    def _change_one(self, receipt: Receipt, timeout_s: int) -> Refusal | None:
        if (refusal := self._refused(receipt)) is not None:
            return refusal
        now = self._clock()
        sent = self._messages.get(receipt.message_id)
        if sent is None or sent.receipt_handle != receipt.receipt_handle or sent.visible_at <= now:
            return Refusal(receipt.message_id, "MessageNotInflight", expired=True)
        sent.visible_at = now + timeout_s
        return None

    def _refused(self, receipt: Receipt) -> Refusal | None:
        if not self._refuse:
            return None
        self._refuse -= 1
        return Refusal(receipt.message_id, "InternalError", expired=False)


def _check_batch(size: int) -> None:
    if not 1 <= size <= SQS_MAX_BATCH:
        raise QueueError(f"{size} entries; SQS takes 1 to {SQS_MAX_BATCH}")


class FakeStore:
    """Documents in a dict."""

    def __init__(self, *, is_remote: bool = False) -> None:
        self.is_remote = is_remote
        self.is_down = False
        self._documents: dict[str, bytes] = {}

    def put(self, name: str, document: bytes) -> None:
        """Store, or say that the store is down."""
        self._check()
        self._documents[name] = document

    def put_file(self, name: str, file: IO[bytes]) -> None:
        """Store all of it as a document, or say that the store is down."""
        file.seek(0)
        self.put(name, b"".join(iter(lambda: file.read(1024 * 1024), b"")))

    def exists(self, name: str) -> bool:
        """Whether `name` is stored; while the store is down, too: tests ask this."""
        return name in self._documents

    def get(self, name: str) -> bytes:
        """Read `name`."""
        try:
            return self._documents[name]
        except KeyError:
            missing = WriteFailedError(f"there is no {name}")
            missing.permanent = True
            raise missing from None

    def delete(self, name: str) -> None:
        """Remove `name`."""
        self._documents.pop(name, None)

    def names(self) -> Iterator[str]:
        """List every name that ends in `.json`."""
        yield from [name for name in list(self._documents) if name.endswith(".json")]

    def _check(self) -> None:
        if self.is_down:
            raise WriteFailedError("the store is down")
