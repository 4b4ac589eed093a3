"""What each step is told: frozen values with the defaults of the command line.

`pipeline/options.py` builds and checks them; a step never sees `PipelineOptions` or the environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from transforms.failures import DEFAULT_FATES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from transforms.failures import FailureKind, Fate

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class BackfillSettings:
    """Which objects of buckets to list instead of waiting to be told of them."""

    places: tuple[tuple[str, str], ...]
    """(bucket, key prefix); an empty prefix is all of the bucket."""
    since: datetime | None = None
    """By the time of their last change: from this one on."""
    until: datetime | None = None
    """Before this one."""
    share: tuple[int, int] = (1, 1)
    """(2, 3) is the second of three equal parts of the keys, one for each process."""


@dataclass(frozen=True, slots=True)
class ReceiveSettings:
    """How to poll, and what to let in."""

    queue_url: str
    region: str = "us-east-1"
    queue_role_arn: str | None = None
    """Assumed to ask SQS; None asks with the process's own credentials."""
    wait_time_s: int = 10
    receivers: int = 1
    buckets: tuple[str, ...] = ()
    """Allowed buckets; empty allows all."""
    key_globs: tuple[str, ...] = ()
    """`fnmatch` patterns of keys to process; empty processes all."""
    own_prefixes: tuple[tuple[str, str], ...] = ()
    """(bucket, key prefix) of our own outputs, never processed."""
    notification_parser: str | None = None
    """`module:function`."""
    give_up_after: int = 5
    idle_s: float | None = None
    """Drain: end after this long without work, 0 as soon as a queue that has an end has nothing left. None runs until
    stopped."""
    budget_s: float | None = None
    """How long one call of the source lasts before it defers; None lasts as long as the source."""
    max_messages: int | None = None
    """End after this many messages. None for no end."""
    backfill: BackfillSettings | None = None
    """Make the messages of a listing; None reads a queue."""
    replay: str | None = None
    """A pattern of files with recorded messages, in the place of a queue; `queue_url` then says so."""
    received_at: datetime | None = None
    """What to take for the time of every receive; None for the time that it is."""


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """How many messages may be open, and how long each is held."""

    visibility_timeout_s: int = 60
    max_in_flight: int = 200
    max_in_flight_bytes: int = 256 * MIB
    max_processing_s: int = 3600
    retry_base_s: float = 10
    retry_max_s: float = 900
    drain_timeout_s: float = 25


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """How objects are fetched and how large they may be; sizes are inflated bytes."""

    region: str = "us-east-1"
    source_role_arn: str | None = None
    """Assumed to read source objects."""
    expected_bucket_owner: str | None = None
    """The account (12 digits) that source buckets must be of; None for any."""
    concurrency: int = 96
    in_memory_bytes: int = 4 * MIB
    max_read_bytes: int = 256 * MIB
    max_object_bytes: int = 8 * GIB
    content_budget_bytes: int = 32 * MIB
    """In-memory contents that may exist at once."""
    reprocess: bool = False
    asks_ledger_always: bool = False
    """Whether what is received for the first time may be done already: it comes of a listing, not of an event."""
    objects: str | None = None
    """A directory with the objects as files, in the place of S3."""


@dataclass(frozen=True, slots=True)
class ProcessSettings:
    """The user's function."""

    processor: str = "transforms.processors:count_lines"
    """`module:name`."""
    concurrency: int = 1
    max_processing_s: int = 3600
    processed_at: datetime | None = None
    """What results say of when they were made; None for the time that it is."""


@dataclass(frozen=True, slots=True)
class WriteSettings:
    """Where results and dead letters go, and what becomes of failures."""

    output: str = "output"
    dead_letters: str = "output/_dead_letters"
    region: str = "us-east-1"
    output_role_arn: str | None = None
    """Assumed where results or dead letters are on S3."""
    fsync: bool = False
    give_up_after: int = 5
    fates: Mapping[FailureKind, Fate] = field(default_factory=lambda: dict(DEFAULT_FATES))
    concurrency: int = 16
    """Writes at once to a remote store."""
    failed_at: datetime | None = None
    """What dead letters say of when it failed; None for the time that it is."""
