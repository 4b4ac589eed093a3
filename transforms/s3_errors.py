"""What an object store's refusal means for a record, whichever client reports it.

obstore's errors are text. What it says of an answer is read from the lines of its debug output, where the key and the
body are quoted on one line: a key that looks like an error message is not taken for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import obstore.exceptions
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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OBSTORE_ERRORS = (obstore.exceptions.BaseError, FileNotFoundError, ValueError)
"""What obstore raises: its own, the built-in one for 404, and the built-in one for a path that it refuses."""
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
_WRONG_REGION = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})

_STATUS = re.compile(r"^ *status: (\d{3}),$", re.MULTILINE)
_BODY = re.compile(r'^ *body: Some\(\n *"(.*)",$', re.MULTILINE)
_KIND = re.compile(r"^ *kind: (Timeout|Connect|Request|Interrupted|Decode),$", re.MULTILINE)
_REDIRECT = re.compile(r"^ *inner: BareRedirect,$", re.MULTILINE)
_CODE = re.compile(r"<Code>([\w.]{1,100})</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})")
_SIZE = re.compile(r"<ActualObjectSize>(\d{1,20})<")
_DEBUG = "\n\nDebug source:"
_REASON = re.compile(r'^ *(?:message|error): (?:"([^"]+)",|InvalidCertificate\(\n *(\w+))', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered instead of what it was asked for."""

    status: int
    code: str = ""
    """For example `NoSuchKey`; empty if it did not say."""
    message: str = ""
    object_size: int | None = None
    """Bytes of the whole object, where the answer is that it has not so many."""

    def __str__(self) -> str:
        """Show what an operator needs; never more of the answer, which may repeat what was signed."""
        return f"{self.status} {self.code or 'without a reason'}{f': {self.message}' if self.message else ''}"


def answer_of(error: Exception) -> Answer | None:
    """Answer what the service said, if it said anything."""
    if isinstance(error, ClientError):
        status = int(error.response["ResponseMetadata"].get("HTTPStatusCode", 0))
        said = error.response.get("Error", {})
        code = said.get("Code", "")
        return Answer(
            status, "" if code.isdigit() else code, said.get("Message", ""), _number(said.get("ActualObjectSize"))
        )
    text = str(error) if isinstance(error, OBSTORE_ERRORS) else ""
    if _REDIRECT.search(text):
        return Answer(HTTPStatus.MOVED_PERMANENTLY, "PermanentRedirect")
    status_line, body_line = _STATUS.search(text), _BODY.search(text)
    if status_line is None:
        return None
    body = body_line[1] if body_line else ""
    code_tag, message_tag, size_tag = _CODE.search(body), _MESSAGE.search(body), _SIZE.search(body)
    message = message_tag[1].replace("\\n", " ").replace('\\"', '"') if message_tag else ""
    return Answer(int(status_line[1]), code_tag[1] if code_tag else "", message, _number(size_tag and size_tag[1]))


def is_wrong_region(error: Exception) -> bool:
    """Whether S3 says that the bucket is in another region."""
    answer = answer_of(error)
    return answer is not None and answer.code in _WRONG_REGION


def explain(error: Exception, url: str) -> RecordError:
    """Make the error of a record out of a client's; `url` says of what, for people."""
    answer = answer_of(error)
    if answer is not None:
        return _class_of(answer)(one_line(f"{url}: {answer}"))
    return _explain_silence(error, url)


def _number(digits: str | None) -> int | None:
    return int(digits) if digits and digits.isdecimal() else None


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
        return next(meanings, ForbiddenError)(one_line(f"{url}: {text}"))  # the others are about credentials
    if isinstance(error, (UserError, obstore.exceptions.UnauthenticatedError)):
        return ForbiddenError(one_line(f"{url}: {text}"))
    kind, reason = _KIND.search(debug), _REASON.search(debug)
    meaning = _BY_KIND.get(kind[1], UnavailableError) if kind else UnavailableError
    why = f": {reason[1] or f'invalid certificate, {reason[2]}'}" if reason else ""
    return meaning(one_line(f"{url}: {text.rpartition(' - ')[2]}{why}"))
