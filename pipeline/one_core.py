"""Keeps a process on one core, the quietest: Python's threads take turns, and hand over faster there than across two.

Across two, nearly half of the CPU time of small objects is the handing over (benchmarks/README.md). More cores are for
`--pipelines`. Every few seconds it moves if another is quieter. Only Linux says and allows this.
"""

from __future__ import annotations

import os
import random
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_LOOK_S = 0.05
LOOK_S = 2.0
MOMENT_S = (0.1, 0.4)
_STAT = Path("/proc/stat")
WORTH_MOVING = 0.2
"""Of a core's time: so much less must others use of another core, or two processes would swap places for ever."""


def keep(number: int, ended: threading.Event) -> None:
    """Stay on one core from now on, in a thread of its own, until `ended`; pipelines of a `number` start apart."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") and _STAT.exists() else []
    if len(cores) > 1:
        threading.Thread(target=_keep, args=(cores, number, ended), name="one-core", daemon=True).start()


def quietest(cores: list[int], busy: Mapping[int, float], current: int, own: float) -> int:
    """Answer where to be: `busy` is each core's share of time in use, `own` what this process used of `current`."""
    others = {core: busy.get(core, 0.0) for core in cores}
    others[current] = max(0.0, others[current] - own)
    best = min(cores, key=lambda core: others[core])  # the first of equals
    return current if others[current] - others[best] < WORTH_MOVING else best


def _keep(cores: list[int], number: int, ended: threading.Event) -> None:
    first = number % len(cores)
    cores = cores[first:] + cores[:first]
    found: int | None = cores[0]
    during_s = FIRST_LOOK_S
    try:
        while found is not None:
            current = found
            _move({current})
            found = _look(cores, current, during_s, ended)
            if found not in {current, None}:
                # Two that share a core would leave it together, again and again, by what both saw before one left: so
                # each looks once more, for a moment of its own.
                found = _look(cores, current, random.uniform(*MOMENT_S), ended)  # noqa: S311 - no secret
            during_s = LOOK_S * random.uniform(0.8, 1.2)  # noqa: S311 - as above
    finally:
        _move(set(cores))


def _look(cores: list[int], current: int, during_s: float, ended: threading.Event) -> int | None:
    """Answer where to be by what the next seconds show; None if the end comes first."""
    used_before, own_before = _used_ticks(), _own_ticks()
    if ended.wait(during_s):
        return None
    used, own, ticks = _used_ticks(), _own_ticks(), during_s * os.sysconf("SC_CLK_TCK")
    busy = {core: (used[core] - used_before.get(core, used[core])) / ticks for core in used}
    return quietest(cores, busy, current, (own - own_before) / ticks)


def _used_ticks() -> dict[int, int]:
    """Answer for each core how much of its time was used; waiting for a disk is not."""
    ticks = {}
    for line in _STAT.read_text(encoding="ascii").splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            user, nice, system, _idle, _io_wait, *rest = map(int, fields[:8])
            ticks[int(name[3:])] = user + nice + system + sum(rest)
    return ticks


def _own_ticks() -> float:
    times = os.times()
    return (times.user + times.system) * os.sysconf("SC_CLK_TCK")


def _move(cores: set[int]) -> None:
    """Move every thread, those of libraries too: an answer on another core would wake the thread that waits across.

    A thread begins where the one is that starts it, so whoever is new since the last time is moved, too.
    """
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # it has ended
            os.sched_setaffinity(int(task.name), cores)
