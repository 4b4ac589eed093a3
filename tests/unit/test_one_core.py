"""Which core a process keeps to, and that it gives it back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from pipeline import one_core
from pipeline.one_core import quietest

CORES = [0, 1, 2, 3]


def test_its_own_work_does_not_drive_it_away() -> None:
    """A core that only this process uses is as quiet as an idle one."""
    assert quietest(CORES, {0: 1.0, 1: 0.0, 2: 0.0, 3: 0.0}, 0, 0.95) == 0


def test_it_moves_from_a_core_that_others_use() -> None:
    """To the quietest, and not for a small difference."""
    assert quietest(CORES, {0: 1.0, 1: 0.6, 2: 0.1, 3: 0.4}, 0, 0.5) == 2
    assert quietest(CORES, {0: 1.0, 1: 0.6, 2: 0.4, 3: 0.4}, 0, 0.5) == 0


def test_only_allowed_cores_are_looked_at() -> None:
    """A container may have some of the machine's."""
    assert quietest([2, 3], {0: 0.0, 1: 0.0, 2: 0.9, 3: 0.5}, 2, 0.0) == 3


def moves(monkeypatch: pytest.MonkeyPatch, number: int, *seen: int | None) -> list[set[int]]:
    """Answer where a process of `number` is put on cores 0 and 1, when looks answer what is `seen`."""
    looks, put = iter(seen), list[set[int]]()
    monkeypatch.setattr(one_core, "_look", lambda *_: next(looks))
    monkeypatch.setattr(one_core, "_move", put.append)
    one_core._keep([0, 1], number, threading.Event())
    return put


def test_pipelines_begin_on_cores_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """And are free in the end."""
    assert [[{0}, {0, 1}], [{1}, {0, 1}], [{0}, {0, 1}]] == [moves(monkeypatch, n, None) for n in range(3)]


def test_a_process_moves_only_if_a_second_look_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that share a core would leave it together otherwise, and go on sharing one."""
    assert [{0}, {1}, {0, 1}] == moves(monkeypatch, 0, 1, 1, None)
    assert [{0}, {0}, {0, 1}] == moves(monkeypatch, 0, 1, 0, None)
    assert [{0}, {0, 1}] == moves(monkeypatch, 0, 1, None)


LIVE = """
import os, threading, time
from pipeline import one_core
ended, allowed = threading.Event(), os.sched_getaffinity(0)
other = threading.Thread(target=ended.wait)
other.start()
one_core.keep(1, ended)
def until(count, thread):
    until_s = time.monotonic() + 20
    while len(os.sched_getaffinity(thread)) != count and time.monotonic() < until_s:
        time.sleep(0.01)
    print(len(os.sched_getaffinity(thread)))
until(1, 0)
until(1, other.native_id)
begun = []
late = threading.Thread(target=lambda: begun.append(len(os.sched_getaffinity(0))))
late.start(); late.join()
print(*begun)
ended.set()
until(len(allowed), 0)
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2, reason="needs Linux and two cores"
)
def test_every_thread_is_on_one_core_until_the_end() -> None:
    """Those that were there, and those that begin later; then all are where they were."""
    done = subprocess.run([sys.executable, "-c", LIVE], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.split() == ["1", "1", "1", str(len(os.sched_getaffinity(0)))]
