"""Who waits for memory, and who goes first."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from transforms.byte_budget import ByteBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from transforms.byte_budget import Reservation

PATIENCE_S = 30
"""How long a test waits for what must happen."""


class _Asking:
    """A thread that asks for bytes and keeps them."""

    def __init__(self, budget: ByteBudget, size: int) -> None:
        self.reservation: Reservation | None = None
        self._budget = budget
        self._size = size
        waiting = len(budget._waiting)
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()
        while self.reservation is None and len(budget._waiting) == waiting:
            self._thread.join(0.001)

    @property
    def waits(self) -> bool:
        return self.reservation is None

    def answered(self) -> Reservation:
        self._thread.join(PATIENCE_S)
        assert self.reservation is not None
        return self.reservation

    def _ask(self) -> None:
        self.reservation = self._budget.acquire(self._size)


def test_what_fits_is_reserved_and_given_back() -> None:
    """In parts or at once."""
    budget = ByteBudget(100)

    first, second = budget.acquire(60), budget.acquire(40)
    assert 100 == budget.used
    first.shrink(10)
    assert 50 == budget.used
    assert 10 == first.size
    first.release()
    second.release()
    assert 0 == budget.used


def test_giving_back_twice_gives_back_once() -> None:
    """Nor can a reservation grow."""
    budget = ByteBudget(100)
    kept, reservation = budget.acquire(30), budget.acquire(50)

    reservation.shrink(60)
    reservation.release()
    reservation.release()

    assert 30 == budget.used == kept.size


def test_what_does_not_fit_waits_until_it_does() -> None:
    """A surplus that was given back is enough."""
    budget = ByteBudget(100)
    first = budget.acquire(90)

    asking = _Asking(budget, 20)
    assert asking.waits
    first.shrink(80)

    assert 20 == asking.answered().size
    assert 100 == budget.used


def test_more_than_the_whole_budget_is_admitted_alone() -> None:
    """It would wait for ever otherwise."""
    budget = ByteBudget(100)
    small = budget.acquire(1)

    asking = _Asking(budget, 1000)
    assert asking.waits
    small.release()

    assert 1000 == asking.answered().size
    assert 1000 == budget.used


def test_small_ones_do_not_overtake_a_large_one() -> None:
    """Or it might wait for ever."""
    budget = ByteBudget(100)
    first = budget.acquire(50)
    large, small = _Asking(budget, 100), _Asking(budget, 10)
    assert large.waits
    assert small.waits

    first.release()
    reservation = large.answered()
    assert small.waits
    reservation.release()

    assert 10 == small.answered().size


def test_a_release_wakes_nobody_in_vain() -> None:
    """Ninety may wait: to wake them all for each release costs more than the work."""
    budget = ByteBudget(100)
    first = budget.acquire(100)
    next_one, others = _Asking(budget, 80), [_Asking(budget, 80) for _ in range(3)]
    turns = list(budget._waiting)

    first.release()

    assert 80 == next_one.answered().size
    assert [True, False, False, False] == [turn.has_come.is_set() for turn in turns]
    assert all(other.waits for other in others)


@pytest.fixture
def ask_in_vain(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Ask a budget for bytes, and be interrupted while they are awaited, just after something else."""

    def ask(budget: ByteBudget, size: int, meanwhile: Callable[[], object] = list) -> None:
        def interrupted(*_: object) -> bool:
            meanwhile()
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(threading.Event, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                budget.acquire(size)

    return ask


def test_one_who_gives_up_waiting_holds_up_nobody(ask_in_vain: Callable[..., None]) -> None:
    """Ctrl-C comes as an exception; those behind would wait for ever."""
    budget = ByteBudget(100)
    budget.acquire(90)

    ask_in_vain(budget, 20)

    assert 90 == budget.used
    assert 10 == budget.acquire(10).size


def test_one_who_gives_up_when_the_turn_has_come_gives_it_back(ask_in_vain: Callable[..., None]) -> None:
    """Else the bytes would be lost."""
    budget = ByteBudget(100)
    first = budget.acquire(90)

    ask_in_vain(budget, 20, first.release)

    assert 0 == budget.used


def test_a_release_that_nobody_was_told_of_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage collection may make one in the waiting thread itself, between looking and waiting."""
    monkeypatch.setattr("transforms.byte_budget.LOOK_AGAIN_S", 0.001)
    budget = ByteBudget(100)
    budget.acquire(100)
    asking = _Asking(budget, 10)
    assert asking.waits

    budget._used = 0

    assert 10 == asking.answered().size


def test_nothing_is_reserved_without_waiting() -> None:
    """A stream needs no memory of its own."""
    budget = ByteBudget(100)
    budget.acquire(100)

    assert 0 == budget.acquire(0).size


def test_a_reservation_grows_if_there_is_room_and_never_waits() -> None:
    """It gives back all of it."""
    budget = ByteBudget(100)
    first, second = budget.acquire(40), budget.acquire(40)

    assert first.grow(20)
    assert not second.grow(1)
    assert (60, 40, 100) == (first.size, second.size, budget.used)

    first.release()
    second.release()
    assert 0 == budget.used


def test_the_only_reservation_grows_beyond_the_whole_budget() -> None:
    """Else one object larger than it could never be worked on."""
    budget = ByteBudget(100)
    alone = budget.acquire(80)

    assert alone.grow(80)
    assert (160, 160) == (alone.size, budget.used)
