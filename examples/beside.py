"""What runs beside the job while an example runs, and what can be seen there of the job afterwards."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class MissingError(Exception):
    """Something that an example needs is not on this machine; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A service that runs; or none, where the example leaves something to look at all the same."""

    look: Callable[[], dict[str, Any]]
    """What is there after the job, by the words it is told in."""
    environment: dict[str, str] = field(default_factory=dict)
    """What the job must be told to find it."""


@contextlib.contextmanager
def nothing(_output: Path) -> Iterator[Beside]:
    """Run nothing."""
    yield Beside(look=dict)
