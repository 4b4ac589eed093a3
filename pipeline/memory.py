"""How much memory the options allow at worst, and how much there is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from transforms.settings import MIB

if TYPE_CHECKING:
    from pipeline.options import Settings

PROGRAM_BYTES = 160 * MIB
"""Python, Beam, boto3 and their buffers."""
SQS_MAX_BODY_BYTES = MIB
"""A message's body, at most; a notification of S3 has a thousandth of it."""
COPIES_OF_A_READ = 2
"""A line that begins in one piece and ends in another is there twice while it is joined."""

_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def peak_bytes(settings: Settings) -> int:
    """Answer the memory of a process at worst; what your function keeps comes on top.

    The program + contents in memory + what each processing thread reads of a large object + the messages held.
    """
    fetch = settings.fetch
    contents = max(fetch.content_budget_bytes, 2 * fetch.in_memory_bytes)  # stored and inflated, admitted alone
    reads = COPIES_OF_A_READ * fetch.max_read_bytes * settings.process.concurrency
    return PROGRAM_BYTES + contents + reads + SQS_MAX_BODY_BYTES * settings.leases.max_in_flight


def available_bytes(limits: tuple[Path, ...] = _LIMITS) -> int:
    """Answer what this machine has, or what its container may use."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in limits:
        try:
            sizes.append(int(limit.read_text(encoding="ascii")))
        except (OSError, ValueError):  # not Linux, or "max"
            continue
    return min(sizes)
