"""What an object store's refusal, or silence, means for a record, whichever client reports it."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import urllib3.exceptions
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    HTTPClientError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from botocore.exceptions import ConnectionError as AwsConnectionError
from obstore.exceptions import UnauthenticatedError

from transforms.failures import (
    ArchivedError,
    BrokenTransferError,
    BucketGoneError,
    ForbiddenError,
    ObjectGoneError,
    RecordError,
    ThrottledError,
    TimedOutError,
    UnavailableError,
    UserError,
)
from transforms.records import one_line
from transforms.s3_answers import answer_of
from transforms.sanitized import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from transforms.s3_answers import Answer

BOTO3_ERRORS = (BotoCoreError, ClientError, urllib3.exceptions.HTTPError)
"""What boto3 raises; a body's errors are its HTTP library's."""

_BY_CODE: Mapping[str, type[RecordError]] = {
    "NoSuchBucket": BucketGoneError,
    "InvalidBucketName": BucketGoneError,
    "NoSuchKey": ObjectGoneError,
    "NoSuchVersion": ObjectGoneError,
    "MethodNotAllowed": ObjectGoneError,  # of a GET: the version is a delete marker
    "InvalidObjectState": ArchivedError,
    "SlowDown": ThrottledError,
    "Throttling": ThrottledError,
    "RequestLimitExceeded": ThrottledError,
    "RequestTimeout": TimedOutError,
}
_BY_STATUS: Mapping[int, type[RecordError]] = {
    HTTPStatus.REQUEST_TIMEOUT: TimedOutError,
    HTTPStatus.CONFLICT: UnavailableError,
    HTTPStatus.PRECONDITION_FAILED: ObjectGoneError,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: BrokenTransferError,
    HTTPStatus.TOO_MANY_REQUESTS: ThrottledError,
    HTTPStatus.NOT_FOUND: UnavailableError,  # S3 names what is missing; this is a proxy, or the wrong endpoint
    HTTPStatus.METHOD_NOT_ALLOWED: UnavailableError,  # the same
}
_BY_CLASS: Sequence[tuple[tuple[type[Exception], ...], type[RecordError]]] = (
    ((ConnectTimeoutError, ReadTimeoutError, urllib3.exceptions.TimeoutError), TimedOutError),
    ((IncompleteReadError, ResponseStreamingError, urllib3.exceptions.HTTPError), BrokenTransferError),
    ((AwsConnectionError, HTTPClientError), UnavailableError),
)
"""boto3's, the first that fits."""
_BY_KIND: Mapping[str, type[RecordError]] = {"Timeout": TimedOutError, "Interrupted": BrokenTransferError}
"""obstore's; every other kind is somebody who is not there or speaks no HTTP."""

_KIND = re.compile(r"^ *kind: (Timeout|Connect|Request|Interrupted|Decode),$", re.MULTILINE)
_SILENT_PROVIDER = re.compile(
    r"credential provider: (EndpointConnection|ConnectTimeout|ReadTimeout|ConnectionClosed|ProxyConnection|SSL)Error"
)
"""Nobody answered who gives out credentials, STS for one: an outage, not a refusal."""
_DEBUG = "\n\nDebug source:"
_REASON = re.compile(r'^ *(?:message|error): (?:"([^"]+)",|InvalidCertificate\(\n *(\w+))', re.MULTILINE)


def explain(error: Exception, url: str) -> RecordError:
    """Make the error of a record out of a client's; `url` says of what, for people."""
    answer = answer_of(error)
    if answer is not None:
        return _class_of(answer)(one_line(f"{url}: {answer}"))
    return _explain_silence(error, url)


def _class_of(answer: Answer) -> type[RecordError]:
    if answer.code in _BY_CODE:
        return _BY_CODE[answer.code]
    if answer.code == "InvalidArgument" and "version id" in answer.message:
        return ObjectGoneError  # S3 calls an id that it never gave out invalid, not missing
    if answer.status in _BY_STATUS:
        return _BY_STATUS[answer.status]
    return UnavailableError if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR else ForbiddenError


def _explain_silence(error: Exception, url: str) -> RecordError:
    """Explain an error that is no answer: nobody there, too late, cut short, or nothing to sign a request with."""
    text, _, debug = str(error).partition(_DEBUG)
    if isinstance(error, BOTO3_ERRORS):
        meanings = (meaning for errors, meaning in _BY_CLASS if isinstance(error, errors))
        return next(meanings, ForbiddenError)(one_line(f"{url}: {told(error)}"))  # the others are about credentials
    if isinstance(error, (UserError, UnauthenticatedError)):
        return (UnavailableError if _SILENT_PROVIDER.search(text) else ForbiddenError)(
            one_line(f"{url}: {told(error).partition(_DEBUG)[0]}")
        )
    kind, reason = _KIND.search(debug), _REASON.search(debug)
    meaning = _BY_KIND.get(kind[1], UnavailableError) if kind else UnavailableError
    why = f": {reason[1] or f'invalid certificate, {reason[2]}'}" if reason else ""
    return meaning(one_line(f"{url}: {text.rpartition(' - ')[2]}{why}"))
