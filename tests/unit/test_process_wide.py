"""One instance a process, whichever copy of a step asks, until all are closed."""

from __future__ import annotations

import logging
import pickle
import threading
from typing import TYPE_CHECKING

import pytest

from transforms import process_wide
from transforms.process_wide import ProcessWide, close_all

if TYPE_CHECKING:
    from collections.abc import Iterator

JOIN_S = 10

made: list[str] = []
closed: list[str] = []


class _Pool:
    """Something with threads or connections of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        made.append(name)

    def close(self) -> None:
        closed.append(self.name)
        if self.name == "stubborn":
            raise RuntimeError("I will not")


class _Plain:
    """Something with nothing to close."""


class _Of:
    """Something made of another process-wide thing."""

    def __init__(self, inner: ProcessWide[_Pool]) -> None:
        self.inner = inner.get()


@pytest.fixture(autouse=True)
def no_instances() -> Iterator[None]:
    """Start and end with none."""
    made.clear()
    closed.clear()
    yield
    process_wide._instances.clear()


def test_every_copy_of_a_handle_answers_the_same_instance() -> None:
    """A runner pickles steps as it likes."""
    handle = ProcessWide(_Pool, "a")
    copies = [pickle.loads(pickle.dumps(handle)) for _ in range(3)]  # noqa: S301 - our own

    assert 1 == len({id(copy.get()) for copy in [handle, *copies]})
    assert ["a"] == made


def test_two_handles_answer_two_instances() -> None:
    """Two jobs, or two queues, in one process."""
    assert ProcessWide(_Pool, "a").get() is not ProcessWide(_Pool, "a").get()


def test_nothing_is_made_before_it_is_asked_for() -> None:
    """The process that builds the job is seldom the one that runs it."""
    pickle.dumps(ProcessWide(_Pool, "a"))

    assert [] == made


def test_threads_that_ask_at_once_get_the_same_instance() -> None:
    """Made once."""
    handle = ProcessWide(_Pool, "a")
    got: list[_Pool] = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait(JOIN_S)
        got.append(handle.get())

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(JOIN_S)

    assert (8, 1, ["a"]) == (len(got), len({id(pool) for pool in got}), made)


def test_an_instance_may_be_made_of_another() -> None:
    """The settler needs the consumer."""
    inner = ProcessWide(_Pool, "inner")

    assert inner.get() is ProcessWide(_Of, inner).get().inner


def test_everything_is_closed_newest_first() -> None:
    """What was made of something ends before it."""
    for name in "abc":
        ProcessWide(_Pool, name).get()
    ProcessWide(_Plain).get()
    close_all()

    assert ["c", "b", "a"] == closed


def test_what_cannot_be_closed_does_not_keep_the_others_open(caplog: pytest.LogCaptureFixture) -> None:
    """The consumer, made first, still accounts for what it holds."""
    for name in ("consumer", "stubborn"):
        ProcessWide(_Pool, name).get()
    close_all()

    assert ["stubborn", "consumer"] == closed
    assert [(logging.ERROR, "closing _Pool failed")] == [(r.levelno, r.message) for r in caplog.records]


def test_after_closing_everything_is_made_anew() -> None:
    """For a second job in the same process."""
    handle = ProcessWide(_Pool, "a")
    first = handle.get()
    close_all()

    assert first is not handle.get()
    assert ["a", "a"] == made


def test_who_looks_on_makes_nothing() -> None:
    """And waits for nobody who does."""
    handle = ProcessWide(_Pool, "a")
    before = process_wide.made(_Pool)
    pool = handle.get()

    assert (None, pool, None) == (before, process_wide.made(_Pool), process_wide.made(_Plain))
