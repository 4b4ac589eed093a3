"""What flows down the river: small, frozen, slotted records.

`Fetched`, which has behaviour of its own, lives in `contents.py`. All times are aware datetimes in UTC.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from transforms.error_text import class_name, traceback_text
from transforms.failures import FailureKind, FinishedKind, InternalError, RecordError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from transforms.spools import Spool


@dataclass(frozen=True, slots=True)
class Delivery:
    """One receipt of one SQS message."""

    queue_url: str
    message_id: str
    receipt_handle: str | None = field(repr=False)
    """None where there is no queue behind it: replay, backfill."""
    receive_count: int
    """`ApproximateReceiveCount`: 1 for the first receive."""
    sent_at: datetime
    received_at: datetime
    body: str = field(repr=False)
    """The message body as received."""
    records: int = 1
    """How many records the body holds; each leaves by a door of its own."""


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One S3 object that a delivery speaks of."""

    delivery: Delivery
    index: int
    """Which of the delivery's records this is, from 0."""
    bucket: str
    key: str
    """Decoded, as the object is named in S3."""
    version_id: str | None = None
    etag: str | None = None
    """As notified, without quotes."""
    size: int | None = None
    """Bytes as stored (compressed), as notified."""
    sequencer: str | None = None
    event_name: str = ""
    """Without the `s3:` prefix, for example `ObjectCreated:Put`."""
    event_time: datetime | None = None
    region: str | None = None

    @property
    def url(self) -> str:
        """`s3://bucket/key`, for people; a key with control characters is shown escaped."""
        key = self.key if self.key.isprintable() else self.key.encode("unicode_escape").decode("ascii")
        return f"s3://{self.bucket}/{key}"


@dataclass(frozen=True, slots=True)
class Result:
    """A reference and what is to be stored for it."""

    ref: ObjectRef
    """With the ETag and version that were *fetched*."""
    document: bytes
    """The JSON document, encoded and complete."""
    rows: Spool | None = None
    """The file that the document names, to be stored before it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that failed, complete enough to be replayed."""

    delivery: Delivery
    index: int
    ref: ObjectRef | None
    """None where the message could not be read."""
    kind: FailureKind
    detail: str
    """One line."""
    exception_class: str
    traceback: str | None = None
    """Only where the user's code, or nobody foreseen, raised."""

    @classmethod
    def of(cls, source: ObjectRef | Delivery, error: RecordError) -> Failure:
        """Make the failure record of `error`; its cause, if it has one, is what the operator needs to see."""
        ref = source if isinstance(source, ObjectRef) else None
        delivery = source.delivery if isinstance(source, ObjectRef) else source
        cause = error.__cause__ or error
        wants_traceback = isinstance(error, InternalError) or error.kind is FailureKind.PROCESSOR_ERROR
        return cls(
            delivery=delivery,
            index=ref.index if ref else 0,
            ref=ref,
            kind=error.kind,
            detail=one_line(error.detail),
            exception_class=one_line(class_name(cause)),
            traceback=traceback_text(cause) if wants_traceback else None,
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """A record with nothing to do."""

    delivery: Delivery
    index: int
    kind: FinishedKind
    ref: ObjectRef | None = None


@dataclass(frozen=True, slots=True)
class Pulse:
    """Nothing but the chance for each step to hand on what is complete."""


class Door(enum.StrEnum):
    """How a delivery left, best first; a delivery's door is the worst of its records'."""

    IGNORED = "ignored"
    STORED = "stored"
    SET_ASIDE = "set_aside"
    RETURNED = "returned"

    @property
    def severity(self) -> int:
        """Higher is worse."""
        return _SEVERITY[self]


_SEVERITY = {door: severity for severity, door in enumerate(Door)}


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one delivery: the output of the whole flow."""

    message_id: str
    queue_url: str
    door: Door
    records: Mapping[str, int]
    """How many records ended as what: `stored`, or a failure or finished kind."""
    buckets: tuple[str, ...]
    """The buckets its records are in, one entry for each record that has one."""
    receive_count: int
    sent_at: datetime
    received_at: datetime
    settled_at: datetime


MAX_DETAIL_CHARS = 500


def one_line(text: str) -> str:
    """Make `text` safe for a log line: one line, printable, at most `MAX_DETAIL_CHARS` characters."""
    begun = text[: MAX_DETAIL_CHARS + 1]  # what is escaped only grows, and a text may have a hundred million characters
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" if c != "\n" else " " for c in begun)
    return shown if len(shown) <= MAX_DETAIL_CHARS else f"{shown[: MAX_DETAIL_CHARS - 1]}…"
