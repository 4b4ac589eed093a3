"""Poison, partial failure: each has a fate with its reason, and its neighbours do not notice."""

from __future__ import annotations

import gzip
import json
import random
from typing import TYPE_CHECKING

from tests.faults.conftest import choose, histogram

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import World

PROCESSOR = "--processor=tests.faults.processors:poison"

MISDEEDS = {
    "raises": ("processor_error", "ValueError: a bad value"),
    "rubbish": ("bad_result", ""),
    "not-json": ("bad_result", ""),
    "exits": ("processor_error", "SystemExit"),
    "memory": ("processor_error", "MemoryError"),
    "recurses": ("processor_error", "RecursionError"),
    "interrupts": ("processor_error", "KeyboardInterrupt"),
    "prints": ("processor_error", "RuntimeError: zzz"),
}


def test_poison_is_set_aside_with_its_traceback(world: World, figures: Callable[..., None]) -> None:
    """Whatever the function does; what it swallows is not lost either."""
    keys = [f"k{n}" for n in range(choose(500, 50))]
    world.put_many([*MISDEEDS, *keys])
    corrupt = bytearray(gzip.compress(random.Random(1).randbytes(1000)))
    corrupt[500] ^= 0xFF
    world.put("swallows", bytes(corrupt))
    world.notify(["swallows"], *([key] for key in MISDEEDS), *([key] for key in keys))
    options = (PROCESSOR, "--give_up_after=2", "--retry_base_s=1", "--retry_max_s=1")
    with world.job(*options, "--visibility_timeout_s=10", "--drain", "--idle_s=1") as job:
        assert job.wait() == 0, str(job)[-5000:]
    letters = {letter["reference"]["key"]: letter for letter in world.dead_letters()}
    assert set(letters) == {*MISDEEDS, "swallows"}
    for key, (kind, trace) in MISDEEDS.items():
        letter = letters[key]
        assert (letter["kind"], letter["receive_count"]) == (kind, 2), letter
        assert trace in (letter["traceback"] or ""), letter
        assert "processors.py" in (letter["traceback"] or "processors.py")
        assert len(json.dumps(letter)) < 100_000, f"a dead letter of {len(json.dumps(letter)):,} characters"
    assert (letters["swallows"]["kind"], letters["swallows"]["receive_count"]) == ("corrupt_gzip", 1)
    world.assert_right(keys)
    assert world.left() == (0, 0)
    neighbours = world.proxy.receives()
    longest = max(len(line) for line in job.log if not line.startswith("y"))
    assert longest < 10_000, "the log repeats what the function raised"
    figures(misdeeds=len(letters), neighbours=len(keys), receives=histogram(neighbours), longest_log_line=longest)


def test_one_message_with_one_corrupt_and_one_throttled_record(world: World, figures: Callable[..., None]) -> None:
    """Three results and one dead letter at once, the throttled one at its second receive; nothing is done twice."""
    good = ["a", "b", "c"]
    world.put_many([*good, "slow down"])
    corrupt = bytearray(gzip.compress(random.Random(2).randbytes(1000)))
    corrupt[500] ^= 0xFF
    world.put("bad", bytes(corrupt))
    world.notify(["a", "bad", "b", "slow down", "c"])
    throttled = {"on": True}
    world.proxy.add("503", lambda e: throttled["on"] and e.key == "slow down")
    with world.job("--retry_base_s=2", "--visibility_timeout_s=10", "--drain", "--idle_s=1") as job:
        job.wait_for_line("failed s3://")
        throttled["on"] = False
        assert job.wait() == 0, job
    world.assert_right([*good, "slow down"])
    (letter,) = world.dead_letters()
    assert (letter["kind"], letter["index"]) == ("corrupt_gzip", 1)
    assert world.left() == (0, 0)
    world.check_order()
    events = world.proxy.events
    results = [key for key in world.puts() if not key.startswith("_dead_letters/")]
    assert len(results) == len(set(results)) == 4
    deletes = sum(len(e.handles) for e in events if e.operation == "DeleteMessageBatch")
    assert deletes == 1
    gets = sum(e.operation == "GET" and e.key in good and e.bucket == world.name for e in events)
    assert gets == 3
    figures(results=4, dead_letters=1, puts=len(results), gets_of_good=gets, deletes=deletes)


def test_after_a_crash_between_the_records_of_a_message_nothing_is_done_twice(
    world: World, figures: Callable[..., None]
) -> None:
    """What was stored before a kill -9 is neither fetched nor written again; what was not is done."""
    good = ["a", "b", "c"]
    world.put_many([*good, "slow down"])
    corrupt = bytearray(gzip.compress(random.Random(3).randbytes(1000)))
    corrupt[500] ^= 0xFF
    world.put("bad", bytes(corrupt))
    world.notify(["a", "bad", "b", "slow down", "c"])
    with (
        world.proxy.fault("stall", lambda e: e.key == "slow down"),
        world.job("--visibility_timeout_s=3") as job,
    ):
        assert world.proxy.wait_for(lambda: len(world.puts()) == 4, 60), job
        job.kill_group()
    with world.job("--visibility_timeout_s=3", "--drain", "--idle_s=4") as job:
        assert job.wait(60) == 0, job
    world.assert_right([*good, "slow down"])
    assert world.left() == (0, 0), job
    (letter,) = world.dead_letters()
    assert (letter["kind"], letter["index"]) == ("corrupt_gzip", 1)
    world.check_order()
    events = world.proxy.events
    results = [key for key in world.puts() if not key.startswith("_dead_letters/")]
    assert len(results) == len(set(results)) == 4, "a result was written twice"
    gets = sum(e.operation == "GET" and e.key in good and e.bucket == world.name for e in events)
    assert gets == 3, job
    figures(results=4, dead_letters=1, puts=len(results), gets_of_good=gets, receives=histogram(world.proxy.receives()))
