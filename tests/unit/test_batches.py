"""How items are gathered into batches, and that none is kept or lost."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

import pytest

from transforms.batches import Batcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOIN_S = 10
NEVER_S = 3600.0


class _Sent:
    """Keeps the batches that were sent."""

    def __init__(self) -> None:
        self.batches: queue.SimpleQueue[list[int]] = queue.SimpleQueue()

    def __call__(self, batch: list[int]) -> None:
        self.batches.put(batch)

    def next(self) -> list[int]:
        """Wait for the next batch."""
        return self.batches.get(timeout=JOIN_S)

    def rest(self) -> list[list[int]]:
        """Answer the batches that are here."""
        return [self.batches.get() for _ in range(self.batches.qsize())]


@pytest.fixture
def sent() -> _Sent:
    """Nothing was sent yet."""
    return _Sent()


@pytest.fixture
def start(sent: _Sent) -> Iterator[Callable[..., Batcher[int]]]:
    """Make batchers of three that send into `sent`, and end their threads after the test."""
    made: list[Batcher[int]] = []

    def make(send: Callable[[list[int]], None] = sent, *, threads: int = 1, max_age_s: float = NEVER_S) -> Batcher[int]:
        made.append(Batcher(send, size=3, threads=threads, max_age_s=max_age_s, name="test"))
        return made[-1]

    yield make
    for batcher in made:
        batcher.close(timeout_s=JOIN_S)
        assert not any(thread.is_alive() for thread in batcher._senders)


def test_a_full_batch_is_sent_at_once(start: Callable[..., Batcher[int]], sent: _Sent) -> None:
    """However long the others may wait."""
    batcher = start()
    for item in range(7):
        batcher.put(item)

    assert [[0, 1, 2], [3, 4, 5]] == [sent.next(), sent.next()]
    assert [] == sent.rest()


def test_no_item_waits_longer_than_a_moment_for_others(start: Callable[..., Batcher[int]], sent: _Sent) -> None:
    """Each of many moments, not only the first."""
    batcher = start(max_age_s=0.001)
    sent_alone = []
    for item in range(20):
        batcher.put(item)
        sent_alone.append(sent.next())

    assert [[item] for item in range(20)] == sent_alone


def test_a_flush_sends_what_there_is(start: Callable[..., Batcher[int]], sent: _Sent) -> None:
    """And nothing if there is nothing."""
    batcher = start()
    batcher.flush()
    batcher.put(1)
    batcher.flush()
    batcher.flush()
    batcher.put(2)
    batcher.flush()

    assert [[1], [2]] == [sent.next(), sent.next()]
    assert [] == sent.rest()


def test_a_close_sends_what_there_is_and_ends_the_threads(start: Callable[..., Batcher[int]], sent: _Sent) -> None:
    """It waits for that: the process may end right after."""
    batcher = start(threads=3)
    for item in range(5):
        batcher.put(item)
    batcher.close(timeout_s=JOIN_S)

    assert [[0, 1, 2], [3, 4]] == sorted(sent.rest())
    assert [] == [thread.name for thread in threading.enumerate() if thread.name in {"test-0", "test-1", "test-2"}]


def test_a_close_does_not_wait_for_a_send_that_hangs(start: Callable[..., Batcher[int]]) -> None:
    """An SQS that is down may take a minute to say so."""
    hangs, began = threading.Event(), threading.Event()

    def send(batch: list[int]) -> None:
        began.set()
        assert hangs.wait(JOIN_S)

    batcher = start(send)
    batcher.put(1)
    batcher.flush()
    assert began.wait(JOIN_S)
    batcher.close(timeout_s=0)

    assert batcher._senders[0].is_alive()
    hangs.set()


def test_a_slow_send_does_not_hold_up_the_next_batch(start: Callable[..., Batcher[int]], sent: _Sent) -> None:
    """Several are under way at once."""
    release = threading.Event()

    def send(batch: list[int]) -> None:
        if batch == [0, 1, 2]:
            assert release.wait(JOIN_S)
        sent(batch)

    batcher = start(send, threads=2)
    for item in range(6):
        batcher.put(item)

    assert [3, 4, 5] == sent.next()
    release.set()
    assert [0, 1, 2] == sent.next()


def test_items_from_many_threads_are_each_sent_once(start: Callable[..., Batcher[int]], sent: _Sent) -> None:
    """In batches that are never larger than the receiver takes."""
    batcher = start(threads=4, max_age_s=0.001)
    putters = [
        threading.Thread(target=lambda first=first: [batcher.put(item) for item in range(first, first + 250)])
        for first in range(0, 1000, 250)
    ]
    for putter in putters:
        putter.start()
    for putter in putters:
        putter.join(JOIN_S)
    batcher.close(timeout_s=JOIN_S)
    batches = sent.rest()

    assert list(range(1000)) == sorted(item for batch in batches for item in batch)
    assert {1, 2, 3} >= {len(batch) for batch in batches}
