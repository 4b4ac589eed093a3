"""CPU time and memory of a process and all its descendants, from Linux's /proc."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

MIB = 1024 * 1024
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB$", re.MULTILINE)
_STATE, _PARENT, _TIMES, _RSS = 0, 1, slice(11, 15), 21
"""Fields of /proc/*/stat behind the name: Z if it has ended, parent, times (those of ended children too), pages."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A process and its descendants at one moment."""

    cpu_s: float
    """User and system time, also of those descendants that have ended."""
    resident_mb: float
    """Added up; what two processes share counts twice."""
    peak_mb: float
    """The largest that any of its processes has been so far."""


def look_at(root: int) -> Tree | None:
    """Add up a process and its descendants; None if it has ended, or where there is no /proc."""
    processes: dict[int, list[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended while we looked
            processes[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    if root not in processes or processes[root][_STATE] == "Z":
        return None
    tree: set[int] = set()
    found = {root}
    while found:
        tree |= found
        found = {pid for pid, fields in processes.items() if int(fields[_PARENT]) in tree} - tree
    ticks = sum(int(each) for pid in tree for each in processes[pid][_TIMES])
    pages = sum(int(processes[pid][_RSS]) for pid in tree)
    return Tree(
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"),
        resident_mb=pages * os.sysconf("SC_PAGE_SIZE") / MIB,
        peak_mb=max(_peak_mb(pid) for pid in tree),
    )


def _peak_mb(pid: int) -> float:
    """Look up what `wait4` does not tell: its largest size counts that of the parent at the fork, too."""
    with contextlib.suppress(OSError):
        said = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
        return int(said[1]) / 1024 if said else 0.0  # a zombie has no memory
    return 0.0
