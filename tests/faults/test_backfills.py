"""Backfills that store rows: no part of a file is ever seen, nothing is done twice, and nobody waits for ever."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.command import until
from tests.faults.conftest import choose

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import World
    from tests.faults.proxy import Event

OBJECTS = choose(60, 6)
OUTAGE_S = choose(30, 1)
ROWS = 40_000
"""Over 5 MiB, so that they are uploaded in parts."""
PROCESSOR = f"""
def rows(content):
    with open("calls", "a") as calls:
        calls.write(content.ref.key + "\\n")
    for number in range({ROWS}):
        yield {{"number": number, "key": content.ref.key, "filling": "x" * 120}}
"""
OPTIONS = ("--processor=mine:rows", "--retry_base_s=1", "--give_up_after=3")


@pytest.fixture
def keys(world: World) -> list[str]:
    """Store objects, and a function that makes a large file of each."""
    (world.directory / "mine.py").write_text(PROCESSOR)
    keys = [f"{number % 3}/{number}" for number in range(OBJECTS)]
    world.put_many(keys)
    return keys


def _done(world: World) -> list[str]:
    """Answer the keys that have a result, and check that the file that each names is there and whole."""
    stored = world.stored()
    done = []
    for name, body in stored.items():
        if name.endswith(".json"):
            result = json.loads(body)
            rows = stored[result["rows"]["name"]]
            assert (result["rows"]["bytes"], ROWS) == (len(rows), rows.count(b"\n"))
            done.append(result["source"]["key"])
    # A file may be there without its result, but whole.
    assert {ROWS} >= {body.count(b"\n") for name, body in stored.items() if name.endswith(".jsonl")}
    return sorted(done)


def _is_upload(world: World) -> Callable[[Event], bool]:
    return lambda event: event.bucket == world.output and event.operation == "PUT" and event.key.endswith(".jsonl")


def test_rows_are_seen_whole_or_not_at_all_and_what_has_a_result_is_not_done_again(
    world: World, keys: list[str], figures: Callable[..., None]
) -> None:
    """After a kill in the middle of uploads."""
    is_upload = _is_upload(world)
    late = world.proxy.add("late", is_upload, seconds=0.2)
    with world.backfill(*OPTIONS) as job:
        job.wait_for_line("stored ")
        seen = len(world.proxy.events)
        assert world.proxy.wait_for(lambda: any(map(is_upload, world.proxy._events[seen:])), 60), job
        job.kill_group()
    assert until(lambda: world.proxy.is_idle, 60)  # what it had asked for is done all the same
    world.proxy.end(late)
    done = _done(world)
    (world.directory / "calls").unlink()
    with world.backfill(*OPTIONS, "--strict") as job:
        assert job.wait(300) == 0, job
    calls = (world.directory / "calls").read_text().split()

    assert sorted(calls) == sorted(set(keys) - set(done)), job
    assert _done(world) == sorted(keys)
    figures(objects=len(keys), done_before_the_kill=len(done), done_after_it=len(calls))


def test_an_outage_of_listing_and_output_sets_nothing_aside(
    world: World, keys: list[str], figures: Callable[..., None]
) -> None:
    """Both fail while rows are uploaded and folders looked for; then it ends as if nothing had been."""
    listings = iter(range(10**9))

    def fails(event: Event) -> bool:
        is_listing = event.bucket == world.name and event.operation == "GET" and not event.key
        return (is_listing and next(listings) >= 2) or _is_upload(world)(event)

    with world.backfill(*OPTIONS, "--strict") as job:
        with world.proxy.fault("503", fails) as fault:
            job.wait_for_line("the listing fails")
            world.proxy.wait_for(lambda: False, OUTAGE_S)
        ended = time.monotonic()
        assert job.wait(300) == 0, job

    assert not world.dead_letters()
    assert _done(world) == sorted(keys), job
    figures(objects=len(keys), refused=fault.hits, all_done_after=f"{time.monotonic() - ended:.1f} s")


@pytest.mark.usefixtures("keys")
def test_a_strict_backfill_that_leaves_work_behind_ends_in_time_and_with_1(
    world: World, figures: Callable[..., None]
) -> None:
    """The output does not answer, and it is asked to stop."""
    with (
        world.proxy.fault("stall", _is_upload(world)),
        world.backfill(*OPTIONS, "--strict", "--drain_timeout_s=1") as job,
    ):
        assert world.proxy.wait_for(lambda: any(e.fault == "stall" for e in world.proxy._events), 60), job
        asked = time.monotonic()
        job.signal(signal.SIGTERM)
        assert job.wait() == 1, job
    assert not _done(world)
    figures(left_after=f"{time.monotonic() - asked:.1f} s")
