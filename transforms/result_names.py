"""Names of results and dead letters: readable, safe in any store and file system, never the same for two things.

Keys and message ids are written by anybody. What identifies a result is the digest in its name, which is the same
whenever the same content of the same object is processed; the rest is for people who look for it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
import unicodedata

MAX_SEGMENT_BYTES = 255
"""Of one part between slashes, the limit of nearly every file system."""
MAX_NAME_BYTES = 900
"""Of a whole name; with a prefix before it, it is still a key for S3, which takes 1024."""
MAX_FOLDERS = 32
"""Of the key's own; a key of slashes would make hundreds."""

_DIGEST_BYTES = 15
"""Enough that nobody finds two keys with the same digest, and 24 characters in base 32."""
_UNSAFE = re.compile(r"[^\w.=+@,-]")
"""Everything but letters, digits (of any script) and a little punctuation."""
_FILE = re.compile(r"\.[a-z2-7]{24}(\.[a-z0-9]+)+\Z")
"""How the name of a file beside a result ends: with a digest and a suffix."""
_ROOM = 3
"""Bytes left free in a segment for the underscores that make it safe."""
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.DOTALL)
"""Windows takes these for devices, with any extension."""
_PLAIN_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
"""Such a message id is safe as it is. Upper case is not: there are file systems that ignore it."""


def result_name(bucket: str, key: str, etag: str | None, suffix: str = ".json") -> str:
    """Answer where the result of one object's content is stored: `<bucket>/<key, made safe>.<digest>.json`.

    `suffix` is that of a file beside it: dots, lower-case letters and digits.
    """
    suffix = f".{digest_of(bucket, key, etag)}{suffix}"
    *folders, last = key.split("/")
    top = _folder(f"-{bucket[1:]}" if bucket.startswith("_") else bucket)  # `_dead_letters` is no bucket
    name = _safe(last, MAX_SEGMENT_BYTES - len(suffix) - _ROOM)
    file = _unreserved(name + suffix)
    room = MAX_NAME_BYTES - _bytes(top) - _bytes(file) - 1
    return "/".join([top, *_that_fit(folders, room), file])


def dead_letter_name(message_id: str, index: int) -> str:
    """Answer where the dead letter of a message's record is stored: `<message id>-<index>.json`."""
    if _PLAIN_ID.fullmatch(message_id):
        return f"{message_id}-{index}.json"
    return _unreserved(f"{_safe(message_id, 100)}.{digest_of(message_id)}-{index}.json")


def digest_of(*parts: str | None) -> str:
    """Tell any two lists of parts apart; JSON keeps where one ends, and None from an empty one."""
    hashed = hashlib.blake2b(json.dumps(parts).encode(), digest_size=_DIGEST_BYTES).digest()
    return base64.b32encode(hashed).decode().lower()


def _that_fit(folders: list[str], room: int) -> list[str]:
    """Keep the first folders, as many as `room` bytes take with a slash after each."""
    kept = []
    for folder in map(_folder, folders[:MAX_FOLDERS]):
        room -= _bytes(folder) + 1
        if room < 0:
            break
        kept.append(folder)
    return kept


@functools.lru_cache(maxsize=1024)  # the same few come again and again
def _folder(segment: str) -> str:
    """Make a folder's name, which can be neither a result's (a file may not be a folder too) nor a temporary file's."""
    safe = _unreserved(_safe(segment, MAX_SEGMENT_BYTES - _ROOM))
    folded = _folded(safe)
    return f"{safe}_" if folded.endswith((".json", ".tmp")) or _FILE.search(folded) else safe


def _safe(segment: str, limit: int) -> str:
    """Keep what is not unsafe, within `limit` bytes; no dot at either end, never empty."""
    kept = _UNSAFE.sub("_", unicodedata.normalize("NFC", segment))
    clipped = kept.encode()[:limit].decode(errors="ignore")
    if clipped.startswith("."):
        clipped = f"_{clipped[1:]}"
    if clipped.endswith("."):
        clipped = f"{clipped[:-1]}_"
    return clipped or "_"


def _unreserved(segment: str) -> str:
    return f"_{segment}" if _RESERVED.fullmatch(_folded(segment)) else segment


def _folded(text: str) -> str:
    """Fold what some file system may take for the same."""
    return unicodedata.normalize("NFKC", text).casefold()


def _bytes(text: str) -> int:
    return len(text.encode())
