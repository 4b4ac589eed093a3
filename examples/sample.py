"""An object to upload, and what must become of it."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Sample:
    """One object. Neither `fields` nor `set_aside`: the job ignores it."""

    key: str
    body: bytes
    remark: str
    fields: Mapping[str, Any] | None = None
    """Fields that its result must have, with these values."""
    set_aside: str | None = None
    """The kind of failure to expect in place of a result."""


def zipped(content: bytes) -> bytes:
    """Compress to the same bytes every time."""
    return gzip.compress(content, mtime=0)
