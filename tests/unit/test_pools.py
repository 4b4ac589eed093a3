"""Work handed over and handed back, without waiting."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

import pytest

from transforms.pools import WorkPool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOIN_S = 10


@pytest.fixture
def start() -> Iterator[Callable[..., WorkPool[int, int]]]:
    """Make pools, and end their threads after the test."""
    made: list[WorkPool[int, int]] = []

    def make(work: Callable[[int], int], *, threads: int) -> WorkPool[int, int]:
        made.append(WorkPool(work, threads=threads, name="test"))
        return made[-1]

    yield make
    for pool in made:
        pool.close()
        _join(pool)


def _join(pool: WorkPool[int, int]) -> None:
    for thread in pool._threads:
        thread.join(JOIN_S)
        assert not thread.is_alive()


def test_everything_handed_over_is_handed_back_once(start: Callable[..., WorkPool[int, int]]) -> None:
    """From however many threads, to however many."""
    pool = start(lambda number: 2 * number, threads=4)
    for number in range(1000):
        pool.submit(number)
    pool.close()
    _join(pool)

    assert [2 * number for number in range(1000)] == sorted(pool.completed())
    assert [] == list(pool.completed())


def test_what_is_complete_does_not_wait_for_what_is_slow(start: Callable[..., WorkPool[int, int]]) -> None:
    """Completion order, not the order of submission."""
    slow, quick_done = threading.Event(), threading.Event()

    def work(number: int) -> int:
        if number == 0:
            assert slow.wait(JOIN_S)
        elif number == 2:
            quick_done.set()
        return number

    pool = start(work, threads=2)
    for number in range(4):
        pool.submit(number)
    assert quick_done.wait(JOIN_S)
    slow.set()
    pool.close()
    _join(pool)

    assert 1 == next(pool.completed())
    assert {0, 2, 3} == set(pool.completed())


def test_asking_for_what_is_complete_never_waits(start: Callable[..., WorkPool[int, int]]) -> None:
    """One slow object must not stop the worker's only thread."""
    slow = threading.Event()
    pool = start(lambda number: number + slow.wait(JOIN_S), threads=1)
    pool.submit(1)

    assert [] == list(pool.completed())
    slow.set()


def test_what_is_completed_while_other_work_is_handed_back_waits_for_the_next_time(
    start: Callable[..., WorkPool[int, int]],
) -> None:
    """Or whoever processes it would do nothing else for as long as the pool is as fast."""
    pool = start(lambda number: number, threads=1)
    pool._complete.extend([1, 2])

    handed_back = []
    for number in pool.completed():
        pool._complete.append(number + 10)
        handed_back.append(number)

    assert [1, 2] == handed_back
    assert [11, 12] == list(pool.completed())


def test_no_more_threads_than_allowed_run(start: Callable[..., WorkPool[int, int]]) -> None:
    """And none before there is work."""
    pool = start(lambda number: number, threads=3)
    assert [] == pool._threads
    for number in range(50):
        pool.submit(number)

    assert ["test-0", "test-1", "test-2"] == [thread.name for thread in pool._threads]


def test_submitters_that_meet_start_no_thread_too_many(start: Callable[..., WorkPool[int, int]]) -> None:
    """The second one finds the limit reached while it waited for its turn."""
    pool = start(lambda number: number, threads=1)
    with pool._starting:
        submitters = [threading.Thread(target=pool.submit, args=(number,)) for number in range(2)]
        for submitter in submitters:
            submitter.start()
    for submitter in submitters:
        submitter.join(JOIN_S)

    assert 1 == len(pool._threads)


def test_a_closed_pool_completes_what_it_was_handed(start: Callable[..., WorkPool[int, int]]) -> None:
    """Closing takes no work back."""
    gate = threading.Event()
    pool = start(lambda number: number * gate.wait(JOIN_S), threads=2)
    for number in range(10):
        pool.submit(number)
    pool.close()
    gate.set()
    _join(pool)

    assert set(range(10)) == set(pool.completed())


def test_a_completed_piece_that_another_copy_of_the_step_took_is_no_error(
    start: Callable[..., WorkPool[int, int]],
) -> None:
    """It was there when this copy counted."""

    class _Taken(deque[int]):
        def __len__(self) -> int:
            return 1

    pool = start(lambda number: number, threads=1)
    pool._complete = _Taken()

    assert [] == list(pool.completed())
