"""The end of a process, asked for or not: one right result for each object, no message deleted before its results."""

from __future__ import annotations

import random
import signal
import threading
import time
from typing import TYPE_CHECKING

from tests.faults.conftest import choose, histogram, only_full

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import World

VISIBILITY_S = choose(4, 2)


def test_kill_9_at_random_moments(world: World, figures: Callable[..., None]) -> None:
    """The whole process group, without a word."""
    objects, kills, chance = choose(2000, 200), choose(20, 4), random.Random(5)
    keys = [f"logs/{n}" for n in range(objects)]
    world.put_many(keys)
    messages: list[list[str]] = []
    rest = list(keys)
    while rest:
        size = chance.choice((1, 1, 1, 1, 3, 5))
        messages.append(rest[:size])
        del rest[:size]
    world.notify(*messages)
    # Slow enough that each life of the job has something in hand when it ends.
    world.proxy.add("late", lambda e: e.service == "s3" and e.operation == "PUT", seconds=0.1)
    options = (f"--visibility_timeout_s={VISIBILITY_S}", "--max_in_flight=40", "--give_up_after=1000")
    killed_with_work = 0
    for _ in range(kills):
        with world.job(*options) as job:
            seen = len(world.proxy.events)
            wanted = chance.randint(1, 60)  # so many requests after its first receive
            assert world.proxy.wait_for(lambda: _after_first_receive(world, seen) >= wanted, 60), job  # noqa: B023
            threading.Event().wait(chance.random() * 0.3)
            killed_with_work += world.left()[1] > 0
            job.kill_group()
    with world.job(*options, "--drain", f"--idle_s={VISIBILITY_S + 0.5}") as job:
        assert job.wait(300) == 0, job
    world.assert_right(keys)
    assert world.left() == (0, 0), job
    assert not world.dead_letters()
    deletes = world.check_order()
    figures(
        objects=objects,
        messages=len(messages),
        kills=kills,
        with_work_in_hand=killed_with_work,
        deletes_after_their_results=deletes,
        receives=histogram(world.proxy.receives()),
    )


def _after_first_receive(world: World, seen: int) -> int:
    events = world.proxy._events[seen:]
    first = next((n for n, event in enumerate(events) if event.messages), None)
    # A late life of the job may find an empty queue: what the dead one holds comes back first.
    return 0 if first is None else len(events) - first


def test_shutdown_under_load(world: World, figures: Callable[..., None]) -> None:
    """SIGTERM in the middle: exit 0 in time, what was buffered is visible again, nothing half-written remains."""
    keys = [f"k{n}" for n in range(400)]
    world.put_many(keys)
    world.notify(*([key] for key in keys))
    world.proxy.add("late", lambda e: e.operation == "GET" and e.key.startswith("k"), seconds=0.5)
    with world.job("--visibility_timeout_s=60", "--drain_timeout_s=10", "--fetch_concurrency=8", to="directory") as job:
        job.wait_for_line("stored")
        stopped_at = time.monotonic()
        job.signal(signal.SIGTERM)
        assert job.wait() == 0, job
        took = time.monotonic() - stopped_at
    assert took < 10, job
    waiting, hidden = world.left()
    results = list((world.directory / "output").rglob("*.json"))
    assert hidden == 0, job
    assert waiting + len(results) == len(keys), job
    assert not list(world.directory.rglob("*.tmp"))
    zeros = [e for e in world.proxy.events if e.operation == "ChangeMessageVisibilityBatch" and 0 in e.delays_s]
    assert zeros, job
    visible_after = max(e.ended_at for e in zeros) - stopped_at
    figures(
        exit_after=f"{took:.1f} s",
        stored=len(results),
        visible_again=waiting,
        last_given_back_after=f"{visible_after:.1f} s",
        left_hidden=hidden,
    )


@only_full
def test_a_second_sigterm_leaves_at_once(world: World, figures: Callable[..., None]) -> None:
    """Though S3 is stalled and the messages in hand could not be settled."""
    keys = [f"k{n}" for n in range(20)]
    world.put_many(keys)
    world.notify(*([key] for key in keys))
    with (
        world.proxy.fault("stall", lambda e: e.service == "s3" and e.operation == "GET"),
        world.job("--drain_timeout_s=25", to="directory") as job,
    ):
        assert world.proxy.wait_for(lambda: any(e.fault == "stall" for e in world.proxy._events), 30), job
        job.signal(signal.SIGTERM)
        job.wait_for_line("stopping:")
        again_at = time.monotonic()
        job.signal(signal.SIGTERM)
        assert job.wait() == 128 + signal.SIGTERM, job
    took = time.monotonic() - again_at
    assert took < 2, job
    assert not list(world.directory.rglob("*.tmp"))
    figures(left_after=f"{took:.2f} s")
