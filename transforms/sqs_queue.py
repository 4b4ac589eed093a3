"""An SQS queue through botocore: requests of up to ten messages, and errors that say whether asking again can help."""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from transforms import aws, sqs_calls
from transforms.failures import QueueError, UserError
from transforms.queues import Message, Receipt, Refusal
from transforms.records import one_line
from transforms.sanitized import told, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_CHECK_URL = "check the name, the account and the region in the queue's URL"
_CHECK_KEYS = "AWS does not know these credentials: check them, and the region"
_CHECK_SIGNING = "check the secret key and the region"
PERMANENT_CODES: Mapping[str, str] = {
    "AccessDenied": "allow it in the policies of the job's role and of the queue (README: The least policy)",
    "IncompleteSignature": _CHECK_SIGNING,
    "InvalidAddress": _CHECK_URL,
    "InvalidClientTokenId": _CHECK_KEYS,
    "InvalidSecurity": _CHECK_KEYS,
    "InvalidSignature": _CHECK_SIGNING,
    "KmsAccessDenied": "allow the job's role kms:Decrypt with the queue's key",
    "NonExistentQueue": _CHECK_URL,
    "QueueDoesNotExist": _CHECK_URL,
    "SignatureDoesNotMatch": _CHECK_SIGNING,
    "UnrecognizedClient": _CHECK_KEYS,
    "UnsupportedOperation": "this endpoint does not offer it",
}
"""Asking again cannot help; this does. Not here: throttling, and expired credentials, which may be renewed."""
_CHECK_TRUST = "allow the job's own role sts:AssumeRole on it, and name that role in its trust policy"
_QUOTES_REQUEST = frozenset({"IncompleteSignature", "InvalidSignature", "SignatureDoesNotMatch"})
"""Their messages repeat what was signed, session token included."""
_NOT_MENTIONED = {"Code": "NotMentioned"}
_WRONG_CLOCK = re.compile(r"signature expired|not yet current", re.IGNORECASE)
EXPIRED_CODES = frozenset({"MessageNotInflight", "ReceiptHandleIsInvalid"})
"""A handle that is no longer good. SQS says `InvalidParameterValue` too, with a reason."""
_EXPIRED_REASON = re.compile(r"expired|not (exist|available|valid|in ?flight)|no longer", re.IGNORECASE)
_QUEUE_URL = re.compile(
    r"https?://(\[[0-9a-f:.]+\]|[\w.-]+)(:\d{1,5})?(/[\w.~-]+)+/[\w-]{1,80}(?P<fifo>\.fifo)?", re.ASCII | re.IGNORECASE
)
"""At least an account and a name, stand-ins put more before them; no user and password, which would be shown."""
_PASSWORD = re.compile(r"//[^/\s]*@")


class SqsQueue:
    """One queue. Safe to call from several threads. Pickles: the client is the process's, made at the first call."""

    def __init__(self, url: str, region: str, role_arn: str | None = None) -> None:
        """`role_arn` is assumed to ask it. Raises `UserError` for what is no URL of a standard queue."""
        check_queue_url(url)
        self.url = url
        self._region = region
        self._role_arn = role_arn

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        """Long-poll, as `Queue` says; once: an answer that was lost hides messages, and a drain must wait for them."""
        answer = self._call_often(
            "receive_message",
            attempts=1,
            MaxNumberOfMessages=max_messages,
            WaitTimeSeconds=wait_s,
            VisibilityTimeout=visibility_timeout_s,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        )
        return [_message(message) for message in answer.get("Messages", ())]

    def delete(self, receipts: Sequence[Receipt]) -> list[Refusal]:
        """Delete up to ten messages, as `Queue` says."""
        entries = [{"Id": str(n), "ReceiptHandle": receipt.receipt_handle} for n, receipt in enumerate(receipts)]
        return _refusals(self._call_often("delete_message_batch", Entries=entries), receipts)

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        """Set when up to ten messages become visible again, as `Queue` says."""
        entries = [
            {"Id": str(n), "ReceiptHandle": receipt.receipt_handle, "VisibilityTimeout": timeout_s}
            for n, (receipt, timeout_s) in enumerate(zip(receipts, timeouts_s, strict=True))
        ]
        return _refusals(self._call_often("change_message_visibility_batch", Entries=entries), receipts)

    def send(self, body: str) -> str:
        """Add a message, as `Queue` says."""
        message_id: str = self._call("send_message", MessageBody=body)["MessageId"]
        return message_id

    def attributes(self) -> dict[str, str]:
        """Answer the queue's attributes, as `Queue` says."""
        answer = self._call("get_queue_attributes", AttributeNames=["All"])
        attributes: dict[str, str] = answer.get("Attributes", {})
        return attributes

    def has_more(self) -> bool:
        """Nobody knows, so nothing is known to come."""
        return False

    def _call_often(self, operation: str, *, attempts: int = aws.MAX_ATTEMPTS, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401 - of many kinds
        with self._explained():
            answer = sqs_calls.call(operation, self._region, {"QueueUrl": self.url, **arguments}, self._role_arn)
        return self._call(operation, attempts=attempts, **arguments) if answer is None else answer

    def _call(self, operation: str, *, attempts: int = aws.MAX_ATTEMPTS, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401 - of many kinds
        client = aws.client("sqs", self._region, role_arn=self._role_arn, attempts=attempts)
        with self._explained():
            call: Callable[..., Mapping[str, Any]] = getattr(client, operation)
            return call(QueueUrl=self.url, **arguments)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Raise what botocore raises as a `QueueError`."""
        try:
            yield
        except ClientError as error:
            quoted = None if _name(error) in _QUOTES_REQUEST else error
            endpoint = aws.client("sqs", self._region).meta.endpoint_url
            raise _refused(error, self.url, endpoint) from quoted
        except (NoCredentialsError, PartialCredentialsError) as error:
            detail = "there are no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run with an IAM role"
            raise QueueError(detail, permanent=True) from error
        except BotoCoreError as error:
            raise QueueError(_shown(f"{type(error).__name__}: {told(error)}")) from None


def check_queue_url(url: str) -> None:
    """Raise `UserError` unless `url` is that of a standard queue, at AWS or at any stand-in."""
    match = _QUEUE_URL.fullmatch(url)
    if match is None:
        raise UserError(
            f"--queue_url is {_shown(url)!r}; a queue's URL looks like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME "
            "(aws sqs get-queue-url --queue-name NAME)"
        )
    if match["fifo"]:
        raise UserError(f"--queue_url is {url!r}, a FIFO queue; S3 notifies standard queues only: use one")


def _message(message: Mapping[str, Any]) -> Message:
    attributes = message.get("Attributes", {})
    return Message(
        message_id=message["MessageId"],
        receipt_handle=message["ReceiptHandle"],
        body=message["Body"],
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        sent_at=datetime.fromtimestamp(int(attributes.get("SentTimestamp", 0)) / 1000, UTC),
    )


def _refusals(answer: Mapping[str, Any], receipts: Sequence[Receipt]) -> list[Refusal]:
    """Answer every entry that SQS does not call successful; of one that it does not mention nobody knows."""
    done = {entry["Id"] for entry in answer.get("Successful", ())}
    failed = {entry["Id"]: entry for entry in answer.get("Failed", ())}
    not_done = (
        (receipt, failed.get(str(n), _NOT_MENTIONED)) for n, receipt in enumerate(receipts) if str(n) not in done
    )
    return [Refusal(receipt.message_id, _code(why["Code"]), expired=_is_expired(why)) for receipt, why in not_done]


def _is_expired(failed: Mapping[str, Any]) -> bool:
    code = _code(failed["Code"])
    reason = str(failed.get("Message", ""))
    return code in EXPIRED_CODES or (code == "InvalidParameterValue" and bool(_EXPIRED_REASON.search(reason)))


def _code(code: str) -> str:
    """Strip the old protocol's prefix, `AWS.SimpleQueueService.`, or the new one's, `com.amazonaws.sqs#`."""
    return re.split(r"[.#]", code)[-1]


def _name(error: ClientError) -> str:
    """Answer the code as the tables here have it: the new protocol ends some in `Exception`."""
    return _code(error.response.get("Error", {}).get("Code", "Unknown")).removesuffix("Exception")


def _refused(error: ClientError, url: str, endpoint: str) -> QueueError:
    """Say what SQS said and what to do, in one line, and never a key, a token or a signature."""
    answer = error.response.get("Error", {})
    code, name, message = _code(answer.get("Code", "Unknown")), _name(error), str(answer.get("Message", ""))
    if name in _QUOTES_REQUEST and _WRONG_CLOCK.search(message):
        return QueueError(f"{code}: the clock of this machine is wrong", code=code)  # and is set right while we wait
    said = f": {without_secrets(message)}" if message and name not in _QUOTES_REQUEST else ""
    what_to_do = PERMANENT_CODES.get(name)
    advice = f"; {what_to_do}{_elsewhere(url, endpoint)}" if what_to_do else ""
    if what_to_do and error.operation_name == "AssumeRole":  # STS was asked, not the queue
        advice = f"; {_CHECK_TRUST if name == 'AccessDenied' else what_to_do}"
    detail = _shown(f"{code} from {error.operation_name}{said}")
    return QueueError(f"{detail}{advice}", code=code, permanent=what_to_do is not None)


def _elsewhere(url: str, endpoint: str) -> str:
    """Say who was asked, if the queue's URL is somebody else's: boto3 does not go by it."""
    if urlsplit(endpoint).netloc == urlsplit(url).netloc:
        return ""
    return _shown(f" ({endpoint} was asked, not the URL's host; AWS_ENDPOINT_URL and AWS_REGION decide that)")


def _shown(text: str) -> str:
    """Make `text` one line without the users and passwords of URLs."""
    return one_line(_PASSWORD.sub("//…@", text))
