"""Neighbours: one slow object, call or write among many quick ones, and they keep their rate.

Each write takes a while, so that the rate is that of the writers and not of the machine. The same job does the same
work twice, without the slow one and beside it.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.command import until
from tests.faults.conftest import FULL, choose, histogram
from transforms.aws import READ_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.faults.conftest import World
    from tests.faults.proxy import Event

NEIGHBOURS = choose(1000, 160)
WRITE_S = 0.5 if FULL else 1.0
"""Of each write; there are 16 at once, so 32 or 16 in a second."""
SECONDS = {"object": choose(60, 12), "stream": choose(60, 12), "call": choose(60, 12), "write": choose(30, 12)}
"""How long the slow one takes: longer than its neighbours, whose ten seconds or more a stall of one may not spoil."""
KEPT = 0.8
TIMEOUT_S = 120.0
BASE = ("--processor=tests.faults.processors:deadly", f"--visibility_timeout_s={choose(15, 6)}")
OPTIONS: dict[str, tuple[str, ...]] = {
    "object": (),
    "stream": ("--in_memory_bytes=64", "--process_concurrency=1"),
    "call": ("--process_concurrency=4",),
    "write": (),
}


@pytest.mark.parametrize("slow", SECONDS if FULL else [slow for slow in SECONDS if slow != "object"])
def test_neighbours_of_a_slow_one_keep_their_rate(world: World, figures: Callable[..., None], slow: str) -> None:
    """It is received once, for its lease is extended, and right in the end."""
    seconds = SECONDS[slow]
    key = {"call": f"sleeps-{seconds}", "stream": "slow" * 30}.get(slow, "slow")
    without, beside = ([f"{wave}/{n}" for n in range(NEIGHBOURS)] for wave in ("without", "beside"))
    world.put_many([key, *without, *beside])
    if slow == "write":
        world.proxy.add("late", lambda e: _is_put(world, e, key), times=1, seconds=seconds)
    elif slow != "call":
        world.proxy.add("drip", lambda e: e.key == key, seconds=seconds)
    world.proxy.add("late", lambda e: e.operation == "PUT", seconds=WRITE_S)
    with world.job(*BASE, *OPTIONS[slow]) as job:
        world.notify(*([neighbour] for neighbour in without))
        assert until(lambda: len(_stored_at(world, without)) == NEIGHBOURS, TIMEOUT_S), job
        world.notify([key])
        assert until(lambda: any(e.key == key and e.operation == "GET" for e in world.proxy.events)), job
        world.notify(*([neighbour] for neighbour in beside))
        assert until(lambda: len(_stored_at(world, [key, *beside])) == NEIGHBOURS + 1, TIMEOUT_S), job
        assert until(lambda: world.left() == (0, 0)), job
        job.signal(signal.SIGTERM)
        assert job.wait() == 0, job
    world.assert_right([key, *without, *beside])
    (ended_at,) = _stored_at(world, [key])
    meanwhile = [at for at in _stored_at(world, beside) if at < ended_at]
    before, with_it = _rate(_stored_at(world, without)), _rate(meanwhile)
    figures(
        slow=f"{slow} of {seconds} s",
        rate_without=f"{before:.0f}/s",
        rate_beside=f"{with_it:.0f}/s",
        kept=f"{with_it / before:.0%}",
        neighbours=f"{len(meanwhile)} of {NEIGHBOURS} before the slow one",
        receives_of_it=_receives_of(world, key),
        receives=histogram(world.proxy.receives()),
    )
    assert len(meanwhile) > NEIGHBOURS / 2, job
    assert with_it / before >= KEPT, job
    # A write without any answer is given up after a while, and the message comes again.
    assert _receives_of(world, key) == (2 if slow == "write" and seconds > READ_TIMEOUT_S else 1), job


def _is_put(world: World, event: Event, key: str) -> bool:
    return event.operation == "PUT" and event.key == world.result_name(key)


def _stored_at(world: World, keys: Sequence[str]) -> list[float]:
    """When each of them was stored for the first time, in order."""
    names = {world.result_name(key) for key in keys}
    first: dict[str, float] = {}
    for event in world.proxy.events:
        if event.operation == "PUT" and event.key in names and event.status == 200:
            first.setdefault(event.key, event.ended_at)
    return sorted(first.values())


def _rate(stored_at: Sequence[float]) -> float:
    running = stored_at[len(stored_at) // 5 :]  # without its beginning, when threads and connections are made
    return (len(running) - 1) / (running[-1] - running[0])


def _receives_of(world: World, key: str) -> int:
    """How often the message about `key` was received."""
    return sum(f'"{key}"' in body for event in world.proxy.events for _, _, _, body in event.messages)
