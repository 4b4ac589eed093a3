"""Words on a terminal: steps, indented lines, and colour where a person looks and has not asked for none."""

from __future__ import annotations

import os
import sys


def step(title: str) -> None:
    """Begin a part of the story."""
    print(f"\n{bold(title)}", flush=True)


def say(*lines: str) -> None:
    """Print lines of the current part."""
    for line in indented(*lines):
        print(line, flush=True)


def fail(sentence: str) -> None:
    """Say what went wrong."""
    sys.stdout.flush()
    print(f"\n{_painted(sentence, '31', sys.stderr.isatty())}", file=sys.stderr, flush=True)


def say_some(lines: list[str], most: int = 12) -> None:
    """Print lines of the current part; of many only the first, and how many more there are."""
    if len(lines) > most:
        shown = most - 4
        lines = [*lines[:shown], f"… and {len(lines) - shown} more"]
    say(*lines)


def elided(key: str, most: int = 48) -> str:
    """Shorten a key in its middle, if it is long."""
    end = most // 3
    return key if len(key) <= most else f"{key[: most - end - 1]}…{key[-end:]}"


def indented(*lines: str) -> list[str]:
    """Set lines off from the titles."""
    return [f"  {line}" for line in lines]


def bold(text: str) -> str:
    """Stress."""
    return _painted(text, "1", sys.stdout.isatty())


def dim(text: str) -> str:
    """Say in passing."""
    return _painted(text, "2", sys.stdout.isatty())


def _painted(text: str, code: str, is_terminal: bool) -> str:  # noqa: FBT001 - a private helper, always by position
    if not is_terminal or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"
