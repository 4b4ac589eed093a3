"""What the tests of giants and of lies have in common: limits, neighbours, and what is measured and compared."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.command import until
from tests.faults.answers import MIB

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.command import Command
    from tests.faults.conftest import World

GROWTH_MIB = 100
"""More than the job at its start: what the options below allow, and a little."""
LIMIT = 64 * MIB
LIMITS = ("--in_memory_bytes=1MiB", "--max_read_bytes=16MiB", f"--max_object_bytes={LIMIT}")
DRAIN = ("--drain", "--idle_s=1", "--visibility_timeout_s=20")
NEIGHBOURS = [f"k{n}" for n in range(50)]


def grown_mib(job: Command, timeout_s: float) -> float:
    """Wait for the job's end, which has to be a good one; how much more memory than at its start it had at most."""
    peak = 0

    def ended() -> bool:
        nonlocal peak
        kib = job.peak_memory_kib()
        peak = max(peak, kib or 0)
        return kib is None

    job.wait_for_line("started:")
    first = job.peak_memory_kib() or 0
    assert until(ended, timeout_s), job
    assert job.wait() == 0, job
    return (peak - first) / 1024


def kinds(world: World) -> dict[str, str]:
    """Answer the kind of each dead letter by its key; each has a reason."""
    letters = world.dead_letters()
    assert all(letter["detail"] for letter in letters), letters
    return {letter["reference"]["key"]: letter["kind"] for letter in letters}


def noise(size: int) -> bytes:
    """Make lines that hardly compress."""
    return random.Random(size).randbytes(size)


def counts(data: bytes) -> tuple[int, int]:
    """Answer the right `line_count` and `byte_size`."""
    return data.count(b"\n") + (data[-1:] != b"\n"), len(data)


def counted(world: World, keys: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Answer what the results of `keys` say; beside them there are those of the neighbours and no other."""
    results = world.results()
    assert set(results) == {*keys, *NEIGHBOURS}
    assert all((results[key]["line_count"], results[key]["byte_size"]) == (2, len(key) + 4) for key in NEIGHBOURS)
    return {key: (results[key]["line_count"], results[key]["byte_size"]) for key in keys}
