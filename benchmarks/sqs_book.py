"""The stand-in's queue: which messages wait, which are held and until when, which are deleted."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SENT_AT_MS = 1_768_467_600_000
_MESSAGE = (
    b'{"MessageId":"00000000-0000-4000-8000-%012d","ReceiptHandle":"%d/%d","MD5OfBody":"%b","Body":%b,'
    b'"Attributes":{"ApproximateReceiveCount":"%d","SentTimestamp":"%d"}}'
)


class SqsBook:
    """One queue with a fixed set of messages, numbered from 0. A receipt handle is `number/receives`."""

    def __init__(self, bodies: Sequence[str], now: Callable[[], float]) -> None:
        """Offer every body once; encode it and its digest beforehand."""
        encoded = [body.encode() for body in bodies]
        self._bodies = [json.dumps(body).encode() for body in bodies]
        self._digests = [hashlib.md5(body, usedforsecurity=False).hexdigest().encode() for body in encoded]
        self._now = now
        self._ready = deque(range(len(bodies)))
        self._receives = [0] * len(bodies)
        self._deadlines: dict[int, float] = {}
        self._due: list[tuple[float, int]] = []
        self.deleted: set[int] = set()

    @property
    def waiting(self) -> int:
        """Messages that a receive would find."""
        self._let_return()
        return len(self._ready)

    @property
    def held(self) -> int:
        """Messages that some receiver holds."""
        return len(self._deadlines)

    @property
    def received_again(self) -> int:
        """Receives beyond the first of each message."""
        return sum(receives - 1 for receives in self._receives if receives)

    def receive(self, limit: int, visibility_s: int) -> list[bytes]:
        """Hand out up to `limit` messages, as SQS writes them in JSON."""
        self._let_return()
        messages: list[bytes] = []
        while self._ready and len(messages) < limit:
            number = self._ready.popleft()
            if number in self.deleted:
                continue
            self._receives[number] += 1
            self._hide(number, visibility_s)
            messages.append(self._message(number))
        return messages

    def delete(self, handle: str) -> None:
        """Delete for good; SQS takes an old handle, too."""
        number = int(handle.partition("/")[0])
        self._deadlines.pop(number, None)
        self.deleted.add(number)

    def change_visibility(self, handle: str, timeout_s: int) -> bool:
        """Hold a message for `timeout_s` from now; answer whether it was held at all."""
        number = int(handle.partition("/")[0])
        is_held = number in self._deadlines
        if is_held:
            self._hide(number, timeout_s)
        return is_held

    def _hide(self, number: int, timeout_s: int) -> None:
        self._deadlines[number] = deadline = self._now() + timeout_s
        heapq.heappush(self._due, (deadline, number))

    def _let_return(self) -> None:
        while self._due and self._due[0][0] <= self._now():
            deadline, number = heapq.heappop(self._due)
            if self._deadlines.get(number) == deadline:  # not extended or deleted since
                del self._deadlines[number]
                self._ready.append(number)

    def _message(self, number: int) -> bytes:
        receives = self._receives[number]
        digest, body = self._digests[number], self._bodies[number]
        return _MESSAGE % (number, number, receives, digest, body, receives, SENT_AT_MS)
