"""What every line of a job's log has to be, whatever was in the queue."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_EVENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO |WARN |ERROR|FATAL) \S")
_TRACE = re.compile(r" {4}")
_SUMMARY = re.compile(
    r"stopped: ([\d,]+) received (.) ([\d,]+) stored \+ ([\d,]+) ignored \+ ([\d,]+) set aside \+ ([\d,]+)"
)


def assert_well_formed(lines: Iterable[str], *, log_format: str) -> None:
    """Check that each line is an event of the job or a part of one, and that none speaks to a terminal."""
    for line in lines:
        assert line.isprintable(), f"not printable: {line!r}"
        if log_format == "json":
            event = json.loads(line)
            assert {"time", "level", "logger", "message"} <= event.keys(), line
        else:
            assert _EVENT.match(line) or _TRACE.match(line), f"forged: {line!r}"


def assert_says_none_of(secrets: Iterable[str], texts: Iterable[str]) -> None:
    """Check that nobody who reads `texts` learns what is secret."""
    for text in texts:
        for secret in secrets:
            at = text.find(secret)
            assert at < 0, f"{secret!r} is told: …{text[max(0, at - 200) : at + 200]!r}"


def balance(lines: Iterable[str]) -> dict[str, int]:
    """Answer the one summary of a job; its sign must be `=`."""
    (found,) = [match for line in lines if (match := _SUMMARY.search(line)) and "INFO  stopped" not in line[40:]]
    names = ("received", "stored", "ignored", "set aside", "returned")
    numbers = [int(number.replace(",", "")) for number in (found[1], *found.groups()[2:])]
    assert found[2] == "=", found[0]
    return dict(zip(names, numbers, strict=True))
