"""What the stand-in serves: gzipped log lines, large objects of repeated members, and S3's notifications of them."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "bench-logs"
RESULTS_BUCKET = "bench-results"
INFLATED_BYTES = 80_000
"""Of a small object; about 9 KB of gzip."""
MEMBER_BYTES = 8_000_000
"""Inflated, of each gzip member of a large object."""
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Body:
    """An object's bytes: one gzip member, repeated. Gzip files may be put together like that, and AWS's logs are."""

    member: bytes
    inflated: bytes
    repeats: int = 1

    @cached_property
    def size(self) -> int:
        """Bytes as stored."""
        return len(self.member) * self.repeats

    @cached_property
    def etag(self) -> str:
        """The ETag, without its quotes."""
        return hashlib.md5(self.member, usedforsecurity=False).hexdigest() + (f"-{self.repeats}" * (self.repeats > 1))

    @property
    def counts(self) -> tuple[int, int]:
        """Lines and bytes of the inflated content."""
        return self.inflated.count(b"\n") * self.repeats, len(self.inflated) * self.repeats

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end` (not included) in chunks."""
        while start < end:
            offset = start % len(self.member)
            chunk = self.member[offset : offset + min(CHUNK_BYTES, end - start)]
            yield chunk
            start += len(chunk)


@cache
def small_body() -> Body:
    """The object behind every key, unless it is to be large."""
    lines = _log_lines(INFLATED_BYTES)
    return Body(gzip.compress(lines, 6, mtime=0), lines)


def body_of(inflated_bytes: int) -> Body:
    """Answer the small object, or one of at least `inflated_bytes` that takes little memory to serve."""
    if inflated_bytes <= INFLATED_BYTES:
        return small_body()
    lines = _log_lines(INFLATED_BYTES) * (MEMBER_BYTES // INFLATED_BYTES)
    return Body(gzip.compress(lines, 6, mtime=0), lines, repeats=-(-inflated_bytes // len(lines)))


def notification(key: str, body: Body) -> str:
    """Answer what S3 sends for a new object."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-01-15T09:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "203.0.113.7"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8/IgAtTv8xRjskZQpcIZ9"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "new-objects",
            "bucket": {
                "name": BUCKET,
                "ownerIdentity": {"principalId": "A3NL1KOZZKEXAMPLE"},
                "arn": f"arn:aws:s3:::{BUCKET}",
            },
            "object": {
                "key": quote_plus(key, safe="/"),
                "size": body.size,
                "eTag": body.etag,
                "sequencer": hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()[:18].upper(),
            },
        },
    }
    return json.dumps({"Records": [record]}, separators=(",", ":"))


def key_of(number: int) -> str:
    """Name the object of this number."""
    return f"alb/2026/01/15/web_{number // 1000:04d}/part-{number:07d}.log.gz"


def _log_lines(size: int) -> bytes:
    """Exactly `size` bytes of access log, the same every time."""
    chance = random.Random(7)  # noqa: S311 - log lines, not secrets
    lines, length = [], 0
    while length < size:
        line = (
            f"2026-01-15T09:{length % 60:02d}:{chance.randrange(60):02d}.{chance.randrange(10**6):06d}Z "
            f"app/web/50dc6c495c 203.0.113.{chance.randrange(250)}:{chance.randrange(10**4)} "
            f"10.0.1.{chance.randrange(8)}:8080 200 0.0{chance.randrange(100):02d} "
            f'"GET https://shop.example:443/orders/{chance.randrange(10**4)} HTTP/2.0" '
            '"curl/8.5.0" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.3\n'
        )
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()[: size - 1] + b"\n"
