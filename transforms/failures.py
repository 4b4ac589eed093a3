"""What can go wrong with one record, what becomes of it, and the errors that say so.

    SqsPipelineError
    ├── UserError                  the user can fix it before the job starts; exit code 2, one sentence
    ├── QueueError                 SQS did not do what was asked; never ends a running job
    └── RecordError                one record failed; `kind` decides its fate
        ├── UnreadableNotificationError
        ├── BucketNotAllowedError
        ├── ReceivedTooOftenError
        ├── ObjectGoneError        no such key or version, or a delete marker
        ├── CorruptGzipError       the right number of bytes, but not a valid gzip stream
        ├── TooLargeError          over one of the size limits
        ├── ArchivedError          in Glacier and not restored
        ├── ForbiddenError
        ├── BucketGoneError
        ├── ThrottledError
        ├── UnavailableError       5xx, refused connections
        ├── TimedOutError
        ├── BrokenTransferError    fewer bytes than announced
        ├── ProcessorError         the user's function raised
        ├── BadResultError         what the user's function returned cannot be stored
        ├── WriteFailedError       the output store did not take it
        └── InternalError          anything nobody foresaw

The table `DEFAULT_FATES` and docs/failures.md say the same words.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, ClassVar

from transforms.error_text import described, said

if TYPE_CHECKING:
    from collections.abc import Mapping


class FailureKind(enum.StrEnum):
    """Why a record failed."""

    UNREADABLE_NOTIFICATION = "unreadable_notification"
    BUCKET_NOT_ALLOWED = "bucket_not_allowed"
    RECEIVED_TOO_OFTEN = "received_too_often"
    OBJECT_GONE = "object_gone"
    CORRUPT_GZIP = "corrupt_gzip"
    TOO_LARGE = "too_large"
    ARCHIVED = "archived"
    PROCESSOR_ERROR = "processor_error"
    BAD_RESULT = "bad_result"
    FORBIDDEN = "forbidden"
    BUCKET_GONE = "bucket_gone"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed_out"
    BROKEN_TRANSFER = "broken_transfer"
    WRITE_FAILED = "write_failed"
    INTERNAL_ERROR = "internal_error"


class FinishedKind(enum.StrEnum):
    """Why a record has nothing to do; always ignored and acknowledged."""

    TEST_EVENT = "test_event"
    NOT_CREATED = "not_created"
    FILTERED = "filtered"
    ALREADY_FINISHED = "already_finished"
    DUPLICATE_RECEIPT = "duplicate_receipt"


class Fate(enum.StrEnum):
    """What becomes of a failed record."""

    SET_ASIDE = "set_aside"
    """Store a dead letter, then acknowledge."""
    RETURN = "return"
    """Back to the queue with a delay; set aside at `--give_up_after` receives."""
    IGNORE = "ignore"
    """Acknowledge without a trace but a counter; never a default, only by `--fate`."""


DEFAULT_FATES: Mapping[FailureKind, Fate] = {
    FailureKind.UNREADABLE_NOTIFICATION: Fate.SET_ASIDE,
    FailureKind.BUCKET_NOT_ALLOWED: Fate.SET_ASIDE,
    FailureKind.RECEIVED_TOO_OFTEN: Fate.SET_ASIDE,
    FailureKind.OBJECT_GONE: Fate.SET_ASIDE,
    FailureKind.CORRUPT_GZIP: Fate.SET_ASIDE,
    FailureKind.TOO_LARGE: Fate.SET_ASIDE,
    FailureKind.ARCHIVED: Fate.SET_ASIDE,
    FailureKind.PROCESSOR_ERROR: Fate.RETURN,
    FailureKind.BAD_RESULT: Fate.RETURN,
    FailureKind.FORBIDDEN: Fate.RETURN,
    FailureKind.BUCKET_GONE: Fate.RETURN,
    FailureKind.THROTTLED: Fate.RETURN,
    FailureKind.UNAVAILABLE: Fate.RETURN,
    FailureKind.TIMED_OUT: Fate.RETURN,
    FailureKind.BROKEN_TRANSFER: Fate.RETURN,
    FailureKind.WRITE_FAILED: Fate.RETURN,
    FailureKind.INTERNAL_ERROR: Fate.RETURN,
}

OUTSIDE_KINDS = frozenset(
    {
        FailureKind.FORBIDDEN,
        FailureKind.BUCKET_GONE,
        FailureKind.THROTTLED,
        FailureKind.UNAVAILABLE,
        FailureKind.TIMED_OUT,
        FailureKind.BROKEN_TRANSFER,
        FailureKind.WRITE_FAILED,
    }
)
"""Failures with an outside reason, which the outage guard watches."""
EXCUSED_BY_OUTAGE = OUTSIDE_KINDS | {FailureKind.INTERNAL_ERROR}
"""Failures that are not set aside while the outage guard pauses: they may come of the outage."""


class SqsPipelineError(Exception):
    """Root of every error this project raises on purpose."""


class UserError(SqsPipelineError):
    """The user can fix this: a sentence with the values at hand and what to do. Exit code 2, no traceback."""


class QueueError(SqsPipelineError):
    """SQS refused or did not answer; `permanent` if asking again cannot help (no such queue, denied)."""

    def __init__(self, detail: str, *, code: str = "", permanent: bool = False) -> None:
        """Keep the AWS error code (empty if there was no answer) beside the one-line detail."""
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.permanent = permanent

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the keyword arguments, which `Exception` would lose."""
        return (_queue_error, (self.detail, self.code, self.permanent))


def _queue_error(detail: str, code: str, permanent: bool) -> QueueError:  # noqa: FBT001 - mirrors __reduce__
    return QueueError(detail, code=code, permanent=permanent)


class RecordError(SqsPipelineError):
    """One record failed. The class says why (`kind`), the argument is a one-line detail for an operator."""

    kind: ClassVar[FailureKind] = FailureKind.INTERNAL_ERROR

    @property
    def detail(self) -> str:
        """The one-line detail."""
        return said(self)


class UnreadableNotificationError(RecordError):
    """The message is no notification that this project understands."""

    kind = FailureKind.UNREADABLE_NOTIFICATION


class BucketNotAllowedError(RecordError):
    """The notification names a bucket that `--buckets` does not list."""

    kind = FailureKind.BUCKET_NOT_ALLOWED


class ReceivedTooOftenError(RecordError):
    """Received again and again without ever being settled: it probably kills workers."""

    kind = FailureKind.RECEIVED_TOO_OFTEN


class ObjectGoneError(RecordError):
    """There is no such key or version any more."""

    kind = FailureKind.OBJECT_GONE


class CorruptGzipError(RecordError):
    """The object begins like gzip and is not valid gzip."""

    kind = FailureKind.CORRUPT_GZIP


class TooLargeError(RecordError):
    """The inflated content, a `read()` or a line is over its limit."""

    kind = FailureKind.TOO_LARGE


class ArchivedError(RecordError):
    """The object is in an archive class and must be restored first."""

    kind = FailureKind.ARCHIVED


class ForbiddenError(RecordError):
    """Access denied."""

    kind = FailureKind.FORBIDDEN


class BucketGoneError(RecordError):
    """There is no such bucket."""

    kind = FailureKind.BUCKET_GONE


class ThrottledError(RecordError):
    """The service asks to slow down."""

    kind = FailureKind.THROTTLED


class UnavailableError(RecordError):
    """The service answers 5xx or refuses connections."""

    kind = FailureKind.UNAVAILABLE


class TimedOutError(RecordError):
    """The service did not answer in time."""

    kind = FailureKind.TIMED_OUT


class BrokenTransferError(RecordError):
    """Fewer bytes arrived than were announced, or more."""

    kind = FailureKind.BROKEN_TRANSFER


class ProcessorError(RecordError):
    """The user's function raised."""

    kind = FailureKind.PROCESSOR_ERROR


class BadResultError(RecordError):
    """What the user's function returned cannot be stored as JSON."""

    kind = FailureKind.BAD_RESULT


class WriteFailedError(RecordError):
    """The output store did not take a result; `permanent` if asking again cannot help (denied, no such bucket)."""

    kind = FailureKind.WRITE_FAILED
    permanent = False


class InternalError(RecordError):
    """Something nobody foresaw; a defect of this project until proven otherwise."""

    @classmethod
    def of(cls, cause: BaseException) -> InternalError:
        """Make the error of a record out of `cause`."""
        error = cls(described(cause))
        error.__cause__ = cause
        return error


def explanation(kind: str) -> str:
    """Say in one sentence what a failure of `kind` is: the words of its error; empty for an unknown kind."""
    errors = [error for error in RecordError.__subclasses__() if error.__module__ == __name__]
    return next(((error.__doc__ or "").partition("\n")[0] for error in errors if error.kind == kind), "")
