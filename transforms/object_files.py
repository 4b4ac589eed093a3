"""Source objects as files below a directory, `DIR/<bucket>/<key>`: what a replay reads, and a recording writes.

S3 allows keys that are no paths (`a//b`, `../a`, `a` beside `a/b`, segments of a thousand bytes). Those have a file
named by their digest, beside the others, so that no key leaves the directory and no two share a file.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_SEGMENT_BYTES = 255
MAX_PATH_BYTES = 1024


def object_paths(root: Path, bucket: str, key: str) -> tuple[Path, ...]:
    """Answer where the object may be, the readable place first; the last one can always be made.

    Raises `ValueError` for what no bucket is named, a path out of `root` for example.
    """
    if not _is_segment(bucket):
        raise ValueError(f"{bucket!r} is not the name of a bucket")
    digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    odd = root / bucket / f"_key-{digest}"
    return (root / bucket / key, odd) if _is_path(key) else (odd,)


def _is_path(key: str) -> bool:
    return len(key.encode("utf-8", "surrogatepass")) <= MAX_PATH_BYTES and all(map(_is_segment, key.split("/")))


def _is_segment(name: str) -> bool:
    """Whether `name` is an ordinary file's name on every file system that matters."""
    is_short = len(name.encode("utf-8", "surrogatepass")) <= MAX_SEGMENT_BYTES
    return is_short and name.isprintable() and name not in {"", ".", ".."} and not set(name) & set('/\\:*?"<>|')
