"""An SQS queue through boto3: requests of up to ten messages, and errors that say whether asking again can help."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from transforms import aws
from transforms.failures import QueueError, UserError
from transforms.queues import Message, Receipt, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PERMANENT_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "InvalidAddress",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "NonExistentQueue",
        "QueueDoesNotExist",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "UnsupportedOperation",
    }
)
"""Asking again cannot help. Not here: expired credentials, which a role or a profile renews, and throttling."""
EXPIRED_CODES = frozenset({"MessageNotInflight", "ReceiptHandleIsInvalid"})
"""A handle that is no longer good. SQS says `InvalidParameterValue` too, with a reason."""
_EXPIRED_REASON = re.compile(r"expired|not (exist|available|valid|in ?flight)|no longer", re.IGNORECASE)
_QUEUE_PATH = re.compile(r"(/[^/]+)*/[A-Za-z0-9_-]{1,80}(\.fifo)?")


class SqsQueue:
    """One queue. Safe to call from several threads; the client is made at the first call."""

    def __init__(self, url: str, region: str) -> None:
        """Raises `UserError` for what is no URL of a standard queue."""
        check_queue_url(url)
        self.url = url
        self._region = region

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        """Long-poll, as `Queue` says; once: an answer that was lost hides messages, and a drain must wait for them."""
        answer = self._call(
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
        return _refusals(self._call("delete_message_batch", Entries=entries), receipts)

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        """Set when up to ten messages become visible again, as `Queue` says."""
        entries = [
            {"Id": str(n), "ReceiptHandle": receipt.receipt_handle, "VisibilityTimeout": timeout_s}
            for n, (receipt, timeout_s) in enumerate(zip(receipts, timeouts_s, strict=True))
        ]
        return _refusals(self._call("change_message_visibility_batch", Entries=entries), receipts)

    def attributes(self) -> dict[str, str]:
        """Answer the queue's attributes, as `Queue` says."""
        answer = self._call("get_queue_attributes", AttributeNames=["All"])
        attributes: dict[str, str] = answer.get("Attributes", {})
        return attributes

    def _call(self, operation: str, *, attempts: int = aws.MAX_ATTEMPTS, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401 - of many kinds
        try:
            client = aws.client("sqs", self._region, attempts=attempts)
            call: Callable[..., Mapping[str, Any]] = getattr(client, operation)
            return call(QueueUrl=self.url, **arguments)
        except ClientError as error:
            raise _refused(error) from error
        except (NoCredentialsError, PartialCredentialsError) as error:
            detail = "there are no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run with an IAM role"
            raise QueueError(detail, code=type(error).__name__, permanent=True) from error
        except BotoCoreError as error:
            raise QueueError(f"{type(error).__name__}: {error}", code=type(error).__name__) from error


def check_queue_url(url: str) -> None:
    """Raise `UserError` unless `url` is that of a standard queue, at AWS or at any stand-in."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        is_url = False
    if not is_url or not _QUEUE_PATH.fullmatch(parts.path):
        raise UserError(
            f"--queue_url is {url!r}; a queue's URL looks like https://sqs.REGION.amazonaws.com/ACCOUNT/NAME "
            "(aws sqs get-queue-url --queue-name NAME)"
        )
    if parts.path.endswith(".fifo"):
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
    return [
        Refusal(receipts[int(failed["Id"])].message_id, _code(failed["Code"]), expired=_is_expired(failed))
        for failed in answer.get("Failed", ())
    ]


def _is_expired(failed: Mapping[str, Any]) -> bool:
    code = _code(failed["Code"])
    reason = str(failed.get("Message", ""))
    return code in EXPIRED_CODES or (code == "InvalidParameterValue" and bool(_EXPIRED_REASON.search(reason)))


def _code(code: str) -> str:
    """Strip the old protocol's prefix, `AWS.SimpleQueueService.`."""
    return code.rpartition(".")[2]


def _refused(error: ClientError) -> QueueError:
    """Say what SQS said. Its messages name principals and queues, never a key or a signature."""
    answer = error.response.get("Error", {})
    code = _code(answer.get("Code", "Unknown"))
    permanent = code in PERMANENT_CODES
    detail = "SignatureDoesNotMatch: the secret key is wrong" if code == "SignatureDoesNotMatch" else str(error)
    return QueueError(detail, code=code, permanent=permanent)
