"""Bombs, giants and sizes that lie: memory stays bounded, each has a reason, and its neighbours do not notice."""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING

import pytest

from tests.faults.answers import MIB
from tests.faults.conftest import choose, histogram
from tests.faults.giants import DRAIN, GROWTH_MIB, LIMITS, NEIGHBOURS, counted, counts, grown_mib, kinds, noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import World

PROCESSOR = "--processor=tests.faults.processors:poison"


def test_bombs_and_a_long_line(world: World, figures: Callable[..., None]) -> None:
    """A thousand to one, a hundred thousand members, and a line that does not fit in memory."""
    bomb = io.BytesIO()
    with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=9) as stream:
        for _ in range(choose(2000, 300)):
            stream.write(bytes(MIB))
    assert choose(2000, 300) * MIB / bomb.tell() > 900
    world.put("bomb", bomb.getvalue())
    world.put("members", gzip.compress(b"", 1) * 100_000)
    world.put("lines", gzip.compress(b"x" * MIB, 9) * choose(1024, 40))
    world.put_many(NEIGHBOURS)
    world.notify(["bomb"], ["members"], ["lines"], *([key] for key in NEIGHBOURS))
    limits = (*LIMITS[:2], "--max_object_bytes=128MiB")
    with world.job(*limits, PROCESSOR, *DRAIN) as job:
        grown = grown_mib(job, 120)
    assert kinds(world) == {"bomb": "too_large", "lines": "too_large"}
    assert job.lines_with("a line is longer"), job
    results = world.results()
    assert results.pop("members")["byte_size"] == 0
    assert set(results) == set(NEIGHBOURS)
    figures(
        bomb=f"{bomb.tell() / 1024:.0f} KiB to {choose(2000, 300)} MiB",
        line=f"{choose(1024, 40)} MiB",
        grown=f"{grown:.0f} MiB",
        receives=histogram(world.proxy.receives()),
    )
    assert grown < GROWTH_MIB, job


@pytest.mark.parametrize("is_allowed", [False, True])
def test_a_giant_is_whole_or_too_large(world: World, figures: Callable[..., None], is_allowed: bool) -> None:  # noqa: FBT001
    """Ten gigabytes are more than the default allows."""
    line, block = bytes(127) + b"\n", 32 * MIB
    blocks = choose(320, 8)
    size, limit = blocks * block, choose(320, 8) * block if is_allowed else choose(256, 7) * block
    world.put("giant", gzip.compress(line * (block // 128), 6) * blocks)
    world.put_many(NEIGHBOURS)
    world.notify(["giant"], *([key] for key in NEIGHBOURS))
    limits = () if choose(1, 0) and not is_allowed else ("--max_read_bytes=16MiB", f"--max_object_bytes={limit}")
    with world.job(*limits, *DRAIN) as job:
        grown = grown_mib(job, 600)
    assert kinds(world) == ({} if is_allowed else {"giant": "too_large"})
    expected = {"giant": (size // 128, size)} if is_allowed else {}
    assert counted(world, list(expected)) == expected
    assert world.left() == (0, 0)
    figures(inflated=f"{size / MIB:.0f} MiB", limit=f"{limit / MIB:.0f} MiB", grown=f"{grown:.0f} MiB")
    assert grown < GROWTH_MIB, job


def test_a_notified_size_is_not_believed(world: World, figures: Callable[..., None]) -> None:
    """Zero, too small, too large, impossible, several in one message: results are right, and nothing waits for long."""
    contents = {"tiny": b"a\nb", "small": noise(MIB // 2), "large": noise(choose(40, 6) * MIB)}
    sizes = {"-1": -1, "0": 0, "1": 1, "2**30": 2**30, "2**60": 2**60, "2**63": 2**63, "2**70": 2**70}
    expected: dict[str, tuple[int, int]] = {}
    messages: list[list[str]] = [[] for _ in contents]
    for number, (name, content) in enumerate(contents.items()):
        for size_name, size in sizes.items():
            key = f"{name} as {size_name}"
            world.put(key, gzip.compress(content, 1))
            world.sizes[key] = size
            expected[key] = counts(content)
            messages[number].append(key)
    alone = [[key] for key in expected]
    world.put_many(NEIGHBOURS)
    world.notify(*alone, *messages, *([key] for key in NEIGHBOURS))
    with world.job(*LIMITS, *DRAIN) as job:
        grown = grown_mib(job, 300)
    assert kinds(world) == {}
    assert counted(world, list(expected)) == expected
    assert world.left() == (0, 0)
    receives = histogram(world.proxy.receives())
    figures(sizes=len(sizes), objects=len(expected), receives=receives, grown=f"{grown:.0f} MiB")
    assert not job.lines_with("returned message"), job
    assert grown < GROWTH_MIB, job
