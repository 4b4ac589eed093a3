"""How much memory the options allow at worst, and how much there is."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from transforms.settings import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.options import Settings

PROGRAM_BYTES = 160 * MIB
"""Python, Beam, boto3 and their buffers."""
SQS_MAX_BODY_BYTES = MIB
"""A message's body, at most; a notification of S3 has a thousandth of it."""
COPIES_OF_A_READ = 2
"""A line that begins in one piece and ends in another is there twice while it is joined."""

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def peak_bytes(settings: Settings) -> int:
    """Answer the memory of a process at worst; what your function keeps comes on top.

    The program + contents in memory + what each processing thread reads of a large object + the messages held.
    """
    fetch = settings.fetch
    contents = max(fetch.content_budget_bytes, 2 * fetch.in_memory_bytes)  # stored and inflated, admitted alone
    reads = COPIES_OF_A_READ * fetch.max_read_bytes * settings.process.concurrency
    return PROGRAM_BYTES + contents + reads + SQS_MAX_BODY_BYTES * settings.leases.max_in_flight


def available_bytes(cgroups: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> int:
    """Answer what this machine has, or what its container or service may use."""
    sizes = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in _limits(cgroups, own):
        try:
            sizes.append(int(limit.read_text(encoding="ascii")))
        except (OSError, ValueError):  # no limit of its own, or "max"
            continue
    return min(sizes)


def _limits(cgroups: Path, own: Path) -> Iterator[Path]:
    """Yield where a limit may stand: of the group of this process, and of every group around it.

    A container usually sees its own group as the root; a service, and a container with its machine's view, do not.
    """
    yield cgroups / "memory.max"
    yield cgroups / "memory" / "memory.limit_in_bytes"
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        place = PurePosixPath(path.lstrip("/"))
        for group in (place, *place.parents):
            if not controllers:
                yield cgroups / group / "memory.max"
            elif "memory" in controllers.split(","):
                yield cgroups / "memory" / group / "memory.limit_in_bytes"
