"""The objects of a bucket, page by page, in ranges of keys that several threads can list at once.

boto3 lists, not obstore: that one refuses a whole page for a single odd key on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

Ask: TypeAlias = "Callable[..., Mapping[str, Any]]"
"""`list_objects_v2` of a client of boto3."""
RANGES = 16
"""Into how many a place is divided, if it has folders enough."""
MAX_LEVELS = 4
"""Of folders that are looked through for so many: years, months and days, and one around them."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One object, as a listing has it."""

    bucket: str
    key: str
    etag: str | None
    """Without quotes."""
    size: int
    """Bytes as stored."""
    last_modified: datetime
    storage_class: str
    region: str | None
    """Where the bucket is, if S3 says so."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys that begin with `prefix`, come after `after` and not after `until` (None: up to the last).

    S3 lists in the order of UTF-8 bytes, which is that of Python's texts.
    """

    bucket: str
    prefix: str = ""
    after: str = ""
    until: str | None = None
    token: str | None = None
    """Where S3 goes on after an empty page; else it is asked by the last key, which is good at any time."""
    is_whole: bool = True
    """Not divided yet."""

    @property
    def url(self) -> str:
        """What is listed, for people."""
        return f"s3://{self.bucket}/{self.prefix}"


def advance(keys: KeyRange, ask: Ask) -> tuple[list[Listed], list[KeyRange]]:
    """Do a part of the work: answer some objects, and the ranges that are left. Raises what `ask` does."""
    return ([], _divided(keys, ask)) if keys.is_whole else _page(keys, ask)


def _divided(keys: KeyRange, ask: Ask) -> list[KeyRange]:
    """Divide where folders begin, wherever their objects are: every key is in exactly one range."""
    points = _points(keys, ask)
    chosen = sorted({points[n * len(points) // RANGES] for n in range(1, RANGES)}) if points else []
    return [
        replace(keys, after=after, until=until, is_whole=False)
        for after, until in zip(["", *chosen], [*chosen, None], strict=True)
    ]


def _points(keys: KeyRange, ask: Ask) -> list[str]:
    """Answer the folders of the first level that has enough of them, or of the one that has most."""
    level, most = [keys.prefix], list[str]()
    for _ in range(MAX_LEVELS):
        level = [folder for prefix in level for folder in _folders(keys.bucket, prefix, ask)]
        most = max(most, level, key=len)
        if not level or len(most) >= RANGES:
            break
    return most


def _folders(bucket: str, prefix: str, ask: Ask) -> list[str]:
    """Answer the first folders under `prefix`, up to a thousand: more would not divide it better."""
    answer = ask(Bucket=bucket, Prefix=prefix, Delimiter="/")
    return [folder["Prefix"] for folder in answer.get("CommonPrefixes", ())]


def _page(keys: KeyRange, ask: Ask) -> tuple[list[Listed], list[KeyRange]]:
    position = {"ContinuationToken": keys.token} if keys.token else {"StartAfter": keys.after}
    answer = ask(Bucket=keys.bucket, Prefix=keys.prefix, **position)
    where = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    found = [_listed(keys.bucket, entry, where) for entry in answer.get("Contents", ())]
    within = [listed for listed in found if keys.until is None or listed.key <= keys.until]
    reached_end = bool(found) and keys.until is not None and found[-1].key >= keys.until
    if reached_end or not answer["IsTruncated"]:
        return within, []
    return within, [
        replace(keys, after=found[-1].key) if found else replace(keys, token=answer["NextContinuationToken"])
    ]


def _listed(bucket: str, entry: Mapping[str, Any], region: str | None) -> Listed:
    return Listed(
        bucket=bucket,
        key=entry["Key"],
        etag=entry["ETag"].strip('"') if entry.get("ETag") else None,
        size=entry["Size"],
        last_modified=entry["LastModified"],
        storage_class=entry.get("StorageClass", "STANDARD"),
        region=region,
    )
