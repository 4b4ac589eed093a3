"""Outages: no message is received more than twice, nothing is set aside, and work goes on when they end."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.command import until
from tests.faults.conftest import FULL, choose, histogram, only_full

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import World
    from tests.faults.proxy import Event

OBJECTS = choose(300, 60)
OUTAGE_S = choose(60, 4)
RECOVERY_S = 30
OPTIONS = ("--visibility_timeout_s=6", "--max_in_flight=20", "--retry_base_s=1", "--give_up_after=3")
"""Three quick receives would set a message aside, if an outage burned them."""

OUTAGES = {
    "s3 answers 503": ("503", "source"),
    "s3 refuses": ("refused", "s3"),
    "s3 hangs up": ("hang up", "source"),
    "s3 is stalled": ("stall", "source"),
    "output answers 503": ("503", "output"),
    "output hangs up": ("hang up", "output"),
    "output is stalled": ("stall", "output"),
    "sqs answers 503": ("503", "sqs"),
    "sqs refuses": ("refused", "sqs"),
    "sqs is stalled": ("stall", "sqs"),
    "s3 answers 403": ("403", "source"),
    "403 on everything": ("403", "all"),
}
SHORT = ("s3 refuses", "403 on everything")


def _picks(world: World, where: str) -> Callable[[Event], bool]:
    picks: dict[str, Callable[[Event], bool]] = {
        "source": lambda e: e.bucket == world.name,
        "output": lambda e: e.bucket == world.output,
        "sqs": lambda e: e.service == "sqs",
        "all": lambda _: True,
    }
    return picks[where]


@pytest.mark.parametrize("outage", OUTAGES if FULL else SHORT)
def test_an_outage_in_the_middle(world: World, figures: Callable[..., None], outage: str) -> None:
    """It begins and ends while messages are in hand and many more wait."""
    what, where = OUTAGES[outage]
    keys = [f"k{n}" for n in range(OBJECTS)]
    world.put_many(keys)
    world.notify(*([key] for key in keys))
    # Slow enough that there is a middle.
    world.proxy.add("late", lambda e: e.operation == "PUT" and e.status == 0 and not down, seconds=0.1)
    down: list[int] = []
    with world.job(*OPTIONS) as job:
        job.wait_for_line("stored")
        with ExitStack() as stack:
            down.append(1)
            if what == "refused":
                stack.enter_context(world.proxy.refused(where))
            else:
                stack.enter_context(world.proxy.fault(what, _picks(world, where)))
            began = time.monotonic()
            world.proxy.wait_for(lambda: False, OUTAGE_S)
        ended = time.monotonic()
        done = until(lambda: world.left() == (0, 0), RECOVERY_S + 15)
        recovered_s = time.monotonic() - ended
        assert done, f"{world.left()} left\n{job}"
        job.signal(signal.SIGTERM)
        assert job.wait() == 0, job
    receives = world.proxy.receives()
    figures(
        lasted=f"{ended - began:.0f} s",
        receives=histogram(receives),
        set_aside=len(world.dead_letters()),
        all_done_after=f"{recovered_s:.1f} s",
    )
    assert max(receives.values()) <= 2, job
    assert not world.dead_letters(), job
    world.assert_right(keys)
    world.check_order()
    assert recovered_s < RECOVERY_S, job


@pytest.mark.parametrize("service", [pytest.param("s3", marks=only_full), "sqs"])
def test_an_outage_before_the_start(world: World, figures: Callable[..., None], service: str) -> None:
    """The job starts all the same, and waits."""
    keys = [f"k{n}" for n in range(OBJECTS)]
    world.put_many(keys)
    world.notify(*([key] for key in keys))
    with ExitStack() as outage, ExitStack() as running:
        outage.enter_context(world.proxy.refused(service))
        job = running.enter_context(world.job(*OPTIONS))
        job.wait_for_line("outage:" if service == "s3" else "SQS does not answer, asking again")
        world.proxy.wait_for(lambda: False, choose(60, 2))
        outage.close()
        ended = time.monotonic()
        assert until(lambda: world.left() == (0, 0), RECOVERY_S + 15), job
        recovered_s = time.monotonic() - ended
        job.signal(signal.SIGTERM)
        assert job.wait() == 0, job
    receives = world.proxy.receives()
    figures(receives=histogram(receives), set_aside=len(world.dead_letters()), all_done_after=f"{recovered_s:.1f} s")
    assert max(receives.values()) <= 2, job
    assert not world.dead_letters(), job
    world.assert_right(keys)
    assert recovered_s < RECOVERY_S, job


def test_one_forbidden_object_among_good_ones_is_no_outage(world: World, figures: Callable[..., None]) -> None:
    """It is set aside after --give_up_after receives, and nothing pauses."""
    keys = [f"k{n}" for n in range(OBJECTS)]
    world.put_many(["secret", *keys])
    world.notify(["secret"], *([key] for key in keys))
    with (
        world.proxy.fault("403", lambda e: e.key == "secret"),
        world.job(*OPTIONS, "--drain", "--idle_s=1") as job,
    ):
        assert job.wait() == 0, job
    assert not job.lines_with("outage"), job
    world.assert_right(keys)
    (dead_letter,) = world.dead_letters()
    assert (dead_letter["kind"], dead_letter["receive_count"]) == ("forbidden", 3)
    figures(receives=histogram(world.proxy.receives()), set_aside=1)
