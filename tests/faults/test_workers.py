"""Workers that die of what they process: the supervisor starts them again, and only what kills them is set aside."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import until
from tests.faults.conftest import choose, histogram, only_full

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import World

DEADLY = "--processor=tests.faults.processors:deadly"
NEIGHBOURS = choose(200, 40)
TIMEOUT_S = 240.0
SLACK_S = 15.0
"""For a machine that is busy with other things."""
RESTARTS = "crashed (exit code 70); it starts again"


def _keys(world: World, guilty: str) -> list[str]:
    """Store and notify of the guilty one among its neighbours; answer the neighbours."""
    neighbours = [f"k{n}" for n in range(NEIGHBOURS)]
    world.put_many([guilty, *neighbours])
    keys = [*neighbours[:5], guilty, *neighbours[5:]]  # so early that each life has it in hand beside others
    world.notify(*([key] for key in keys))
    return neighbours


def _assert_only_this_was_set_aside(world: World, guilty: str, neighbours: list[str]) -> dict[str, Any]:
    """Check that each neighbour has its result; answer the one dead letter."""
    world.assert_right(neighbours)
    letters = world.dead_letters()
    assert len(letters) == 1, [(letter["kind"], letter["receive_count"], letter["body"]) for letter in letters]
    letter: dict[str, Any] = letters[0]
    assert letter["body"] == world._body([guilty])
    assert world.left() == (0, 0)
    return letter


@pytest.mark.parametrize("concurrency", [pytest.param(1, marks=only_full), 4])
def test_a_function_that_hangs(world: World, figures: Callable[..., None], concurrency: int) -> None:
    """Its worker ends with a sentence and starts again; at --give_up_after receives the object is set aside."""
    give_up_after = choose(3, 2)
    neighbours = _keys(world, "hangs")
    options = (f"--give_up_after={give_up_after}", "--max_processing_s=3", "--visibility_timeout_s=5")
    with world.job(
        DEADLY, *options, f"--process_concurrency={concurrency}", "--retry_base_s=1", "--pipelines=1"
    ) as job:
        assert until(lambda: world.left() == (0, 0), TIMEOUT_S), job
        assert until(lambda: len(job.lines_with(RESTARTS)) == give_up_after, TIMEOUT_S), job  # the last tells SQS first
        job.signal(signal.SIGTERM)
        assert job.wait() == 0, job
    letter = _assert_only_this_was_set_aside(world, "hangs", neighbours)
    assert (letter["kind"], letter["receive_count"]) == ("processor_error", give_up_after)
    assert letter["detail"] == "did not return within 3 s (--max_processing_s)"
    assert "in deadly" in letter["traceback"]
    said = job.lines_with(f"the processor is at s3://{world.name}/hangs for over 3 s (--max_processing_s)")
    restarts = job.lines_with(RESTARTS)
    assert len(said) == len(restarts) == give_up_after, job
    figures(restarts=len(restarts), receives=histogram(world.proxy.receives()), set_aside=letter["kind"])


@pytest.mark.parametrize("guilty", ["segfaults", pytest.param("killed", marks=only_full)])
def test_a_function_that_kills_its_worker(world: World, figures: Callable[..., None], guilty: str) -> None:
    """It costs a restart each time, and no neighbour more than that; in the end it is set aside unprocessed."""
    neighbours = _keys(world, guilty)
    # No neighbour is stored before the guilty one kills: the worst that can happen to them.
    slowly = world.proxy.add("late", lambda e: e.operation == "PUT", seconds=2)
    with world.job(DEADLY, "--give_up_after=2", "--visibility_timeout_s=8", "--pipelines=1") as job:
        job.wait_for_line("crashed (killed by")
        assert until(lambda: len(job.lines_with("crashed (killed by")) > 1, TIMEOUT_S), job
        world.proxy.end(slowly)
        assert until(lambda: world.left() == (0, 0), TIMEOUT_S), job
        job.signal(signal.SIGTERM)
        assert job.wait() == 0, job
    letter = _assert_only_this_was_set_aside(world, guilty, neighbours)
    receives = world.proxy.receives()
    crashes = job.lines_with("crashed (killed by")
    figures(
        crashes=len(crashes),
        receives=histogram(receives),
        tried_alone=len(job.lines_with("tried alone")),
        set_aside=letter["kind"],
    )
    assert (letter["kind"], letter["receive_count"]) == ("received_too_often", 5)
    assert len(crashes) == 4, job
    assert max(count for message_id, count in receives.items() if message_id != letter["message_id"]) <= 4


def test_one_of_two_pipelines_is_killed(world: World, figures: Callable[..., None]) -> None:
    """What it held is received again within the visibility timeout, and one summary accounts for both."""
    visibility_s = choose(10, 5)
    neighbours = [f"k{n}" for n in range(choose(1000, 200))]
    world.put_many(neighbours)
    world.notify(*([key] for key in neighbours))
    world.proxy.add("late", lambda e: e.operation == "PUT", seconds=1)
    options = (f"--visibility_timeout_s={visibility_s}", "--max_in_flight=40", "--pipelines=2")
    with world.job(DEADLY, *options) as job:
        job.wait_for_line("started: ", times=2)
        assert world.proxy.wait_for(lambda: len(world.puts()) > len(neighbours) // 8, TIMEOUT_S), job
        victim = job.children()[0]
        os.kill(victim, signal.SIGKILL)
        killed_at = time.monotonic()
        job.wait_for_line("crashed (killed by SIGKILL)")
        assert until(lambda: world.left() == (0, 0), TIMEOUT_S), job
        job.signal(signal.SIGTERM)
        assert job.wait() == 0, job
    world.assert_right(neighbours)
    world.check_order()
    receives = [(event.ended_at - killed_at, m[0]) for event in world.proxy.events for m in event.messages]
    held = {message_id for after_s, message_id in receives if after_s < 0}
    again = [after_s for after_s, message_id in receives if after_s >= 0 and message_id in held]
    summaries = [line for line in job.lines_with("stopped: ") if not line.startswith("[")]
    assert again, "nothing was in hand"
    figures(
        received_again=len(again),
        last_of_them_after=f"{max(again):.1f} s",
        visibility=f"{visibility_s} s",
        summary=summaries[-1].partition("stopped: ")[2],
    )
    assert max(again) < visibility_s + SLACK_S, job
    assert len(summaries) == 1, job
    assert "1 crashed, what they held comes back by itself" in summaries[0]
    assert set(world.proxy.receives().values()) == {1, 2}, job
