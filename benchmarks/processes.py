"""Runs a contender as a process, and measures it from outside."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.process_tree import MIB, Tree, look_at
from benchmarks.servers import ROOT

if TYPE_CHECKING:
    import resource
    from pathlib import Path

    from benchmarks.servers import Server

SAMPLE_S = 0.25
"""How often memory is looked up: often enough for its peak, seldom enough to cost nothing."""


class ContenderError(Exception):
    """A contender did not do its work; the sentence ends with what it last said."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run. *Busy* is from the first receive to the last delete, as the stand-in saw them, without start-up."""

    busy_s: float
    busy_cpu_s: float
    """User and system time of the process tree while busy; where there is no /proc to look it up, of the whole run."""
    whole_cpu_s: float
    largest_mb: float
    """Largest resident size of any process of the tree."""
    together_mb: float
    """Largest sum over the tree, as far as samples show it."""
    stand_in_cpu_s: float = 0.0
    """What the stand-in took while the contender was busy."""
    received_again: int = 0
    """Messages that came more than once: work done twice."""


class Contender:
    """A process under way, its memory sampled until its end."""

    def __init__(self, command: list[str], environment: dict[str, str] | None, log: Path) -> None:
        """Start it; its output goes to `log`."""
        with log.open("wb") as said:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
        self._log = log
        self._largest_mb = self._together_mb = 0.0
        self._ended = threading.Event()
        threading.Thread(target=self._sample, daemon=True).start()

    def look(self) -> Tree | None:
        """Look at its process tree now."""
        tree = look_at(self.process.pid)
        if tree:
            self._largest_mb = max(self._largest_mb, tree.peak_mb)
            self._together_mb = max(self._together_mb, tree.resident_mb)
        return tree

    def wait(self, timeout_s: float) -> tuple[resource.struct_rusage, float, float]:
        """Wait for its end, by force after `timeout_s`; answer what it used, and its memory: largest, together."""
        killer = threading.Timer(timeout_s, self.end, [signal.SIGKILL])
        killer.start()
        try:
            _, status, usage = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
        except BaseException:
            self.end(signal.SIGKILL)
            raise
        finally:
            killer.cancel()
            self._ended.set()
        largest_mb = self._largest_mb or usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MIB
        return usage, largest_mb, max(self._together_mb, largest_mb)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, or see to it. Not by `Popen`, which would take the place of `wait` where it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, how)

    def said(self) -> str:
        """Answer the last of what it printed."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.look()


def measure(server: Server, command: list[str], log: Path, timeout_s: float, *, stops: bool = True) -> Measured:
    """Run `command` until it ends by itself, or, unless it `stops`, until the last delete."""
    contender = Contender(command, server.environment(), log)
    marks: list[tuple[float, float, Tree | None]] = []
    watcher = threading.Thread(target=_watch, args=(server, contender, marks, stops), daemon=True)
    watcher.start()
    usage, largest_mb, together_mb = contender.wait(timeout_s)
    watcher.join(1)
    stats, code = server.stats(), contender.process.returncode
    if code or len(marks) != 2:  # noqa: PLR2004 - the first receive and the last delete
        done = f"{stats['deleted']:.0f} of {stats['messages']:.0f} messages deleted"
        raise ContenderError(f"exit code {code}, {done}; it said:\n{contender.said()}")
    (began_at, began_cpu_s, first), (ended_at, ended_cpu_s, last) = marks
    whole_cpu_s = usage.ru_utime + usage.ru_stime
    # One that ended as soon as it was done could not be looked at any more, and has used what it used in all.
    busy_cpu_s = (last.cpu_s if last else whole_cpu_s) - (first.cpu_s if first else 0)
    return Measured(
        busy_s=ended_at - began_at,
        busy_cpu_s=busy_cpu_s,
        whole_cpu_s=whole_cpu_s,
        largest_mb=largest_mb,
        together_mb=together_mb,
        stand_in_cpu_s=ended_cpu_s - began_cpu_s,
        received_again=int(stats["received_again"]),
    )


def measure_alone(command: list[str], log: Path, timeout_s: float) -> Measured:
    """Run a command that needs no stand-in; it is busy from its start to its end."""
    began = time.monotonic()
    contender = Contender(command, None, log)
    usage, largest_mb, together_mb = contender.wait(timeout_s)
    if contender.process.returncode:
        raise ContenderError(f"exit code {contender.process.returncode}; it said:\n{contender.said()}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Measured(time.monotonic() - began, cpu_s, cpu_s, largest_mb, together_mb)


def _watch(server: Server, contender: Contender, marks: list[tuple[float, float, Tree | None]], stops: bool) -> None:  # noqa: FBT001 - a thread's target
    """Look at the tree the moment the stand-in tells of the first receive, and of the last delete."""
    for name in ("first_receive", "last_delete"):
        told = server.event(name)
        if told:
            marks.append((*told, contender.look()))
    if not stops and len(marks) == 2:  # noqa: PLR2004 - both
        contender.end()
