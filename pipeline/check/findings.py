"""What `check` finds: ok, a warning or a problem, a sentence, and the command that mends it; for people or as JSON."""

from __future__ import annotations

import enum
import json
import shlex
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from pipeline.logs import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Level(enum.StrEnum):
    """How bad it is, best first."""

    OK = "ok"
    WARNING = "warning"
    """The job runs, but something is unwise, or could not be seen."""
    PROBLEM = "problem"
    """The job does not start, receives nothing, or fails at every message."""

    @property
    def exit_code(self) -> int:
        """What the command ends with if nothing is worse."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    level: Level
    found: str
    fix: str = ""
    """A command, or the options of the job to set; empty where nothing is to be done."""


Named = tuple[str, Finding]
"""The name of a check, and something that it found."""

NAME_WIDTH = 14
_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.PROBLEM: "31"}


def ok(found: str) -> Finding:
    """As it should be."""
    return Finding(Level.OK, found)


def warning(found: str, fix: str = "") -> Finding:
    """Unwise, or not to be seen from here."""
    return Finding(Level.WARNING, found, fix)


def problem(found: str, fix: str = "") -> Finding:
    """The job would not work."""
    return Finding(Level.PROBLEM, found, fix)


def command(*words: str) -> str:
    """Write a command of the AWS CLI that a shell takes as it is."""
    return shlex.join(["aws", *words])


def compact(document: object) -> str:
    """Write JSON as an argument of a command."""
    return json.dumps(document, separators=(",", ":"))


def span(seconds: float) -> str:
    """Say how long: 90 s, 12 h, 4 days."""
    for unit, size in (("days", 86_400), ("h", 3600)):
        if seconds >= 2 * size and seconds % size == 0:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"


def wants_colour(out: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether a person looks at `out` who did not forbid colours (https://no-color.org)."""
    return out.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


def write_text(found: Iterable[Named], out: TextIO, *, colour: bool) -> Level:
    """Write each as it is found, and how many there are; answer the worst. Nothing of it speaks to a terminal."""
    counts: Counter[Level] = Counter()
    for name, finding in found:
        counts[finding.level] += 1
        level = f"{finding.level:<7}"
        shown = f"\x1b[{_COLOURS[finding.level]}m{level}\x1b[0m" if colour else level
        out.write(f"{shown}  {name:<{NAME_WIDTH}}  {printable(finding.found)}\n")
        if finding.fix:
            out.write(f"{'':<9}{'':<{NAME_WIDTH}}  fix: {printable(finding.fix)}\n")
        out.flush()
    plurals = {Level.OK: "ok", Level.WARNING: "warnings", Level.PROBLEM: "problems"}
    told = (f"{counts[each]} {each if counts[each] == 1 else plurals[each]}" for each in Level)
    out.write(f"\n{', '.join(told)}\n")
    return _worst(counts)


def write_json(found: Iterable[Named], out: TextIO) -> Level:
    """Write one object with all of them when the last is found; answer the worst."""
    listed = [
        {"check": name, "level": finding.level, "found": finding.found, "fix": finding.fix} for name, finding in found
    ]
    worst = _worst(entry["level"] for entry in listed)
    out.write(f"{json.dumps({'level': worst, 'exit_code': worst.exit_code, 'findings': listed}, indent=2)}\n")
    return worst


def _worst(levels: Iterable[object]) -> Level:
    """Answer the worst of them; a check that was not made is none."""
    seen = {Level(str(level)) for level in levels}
    return max(seen, key=lambda level: level.exit_code, default=Level.OK)
