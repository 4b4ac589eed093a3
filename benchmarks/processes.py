"""Runs a contender as a process, and measures it from outside."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.servers import ROOT

if TYPE_CHECKING:
    import resource

    from benchmarks.servers import Server

MIB = 1024 * 1024


class ContenderError(Exception):
    """A contender did not do its work; the sentence ends with what it last said."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. *Busy* is from the first receive to the last delete, as the stand-in saw them, without start-up."""

    busy_s: float
    busy_cpu_s: float | None
    """User and system time of the process tree while busy; None where there is no /proc to look it up."""
    whole_s: float
    whole_cpu_s: float
    peak_mb: float
    """Largest resident size of any process of the tree."""
    stand_in_cpu_s: float
    received_again: int
    """Messages that came more than once: work done twice."""


def measure(server: Server, command: list[str], log: Path, timeout_s: float) -> Measured:
    """Run `command` until it ends by itself; its output goes to `log`."""
    began = time.monotonic()
    with log.open("wb") as said:
        contender = subprocess.Popen(
            command, cwd=ROOT, env=server.environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    marks: list[tuple[float, float | None]] = []
    watcher = threading.Thread(target=_watch, args=(server, contender.pid, marks), daemon=True)
    watcher.start()
    usage = _wait(contender, timeout_s)
    whole_s = time.monotonic() - began
    watcher.join(1)
    if contender.returncode or len(marks) != 2:  # noqa: PLR2004 - the first receive and the last delete
        raise ContenderError(_what_happened(contender.returncode, server, log))
    (first_at, first_cpu_s), (last_at, last_cpu_s) = marks
    stats = server.stats()
    return Measured(
        busy_s=last_at - first_at,
        busy_cpu_s=None if first_cpu_s is None or last_cpu_s is None else last_cpu_s - first_cpu_s,
        whole_s=whole_s,
        whole_cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MIB,
        stand_in_cpu_s=stats["cpu_s"],
        received_again=int(stats["received_again"]),
    )


def _wait(contender: subprocess.Popen[bytes], timeout_s: float) -> resource.struct_rusage:
    """Wait for the end, by force after `timeout_s`; answer what it used."""
    killer = threading.Timer(timeout_s, contender.kill)
    killer.start()
    try:
        _, status, usage = os.wait4(contender.pid, 0)
        contender.returncode = os.waitstatus_to_exitcode(status)
    except BaseException:
        contender.kill()
        raise
    finally:
        killer.cancel()
    return usage


def _watch(server: Server, pid: int, marks: list[tuple[float, float | None]]) -> None:
    """Look up the CPU time at the moment the stand-in tells of the first receive, and of the last delete."""
    for name in ("first_receive", "last_delete"):
        at = server.event(name)
        if at is not None:
            marks.append((at, _tree_cpu_s(pid)))


def _tree_cpu_s(root: int) -> float | None:
    """Add up user and system time of a process, its descendants, and those of them that have ended."""
    if not Path("/proc/self/stat").exists():
        return None
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended while we looked
            fields = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid] = int(fields[1])
            ticks[pid] = sum(int(each) for each in fields[11:15])
    tree: set[int] = set()
    found = {root}
    while found:
        tree |= found
        found = {pid for pid, parent in parents.items() if parent in tree} - tree
    return sum(ticks.get(pid, 0) for pid in tree) / os.sysconf("SC_CLK_TCK")


def _what_happened(code: int, server: Server, log: Path) -> str:
    stats = server.stats()
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    return f"exit code {code}, {stats['deleted']:.0f} of {stats['messages']:.0f} messages deleted; it said:\n{tail}"
