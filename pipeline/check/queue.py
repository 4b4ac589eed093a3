"""The queue: that it is there and the right kind, what the job may do with it, and whether S3 may use its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.check.findings import command, ok, problem, warning
from pipeline.start_up import fifo_refusal
from transforms.failures import QueueError
from transforms.queues import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.check.findings import Finding
    from pipeline.check.subject import Subject

NEEDED = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes")
"""The least policy."""
_GONE = frozenset({"NonExistentQueue", "QueueDoesNotExist"})
_NOBODY = Receipt("check", "a-receipt-that-was-never-given-out")


def of_attributes(
    check: Callable[[Subject, Mapping[str, str]], Iterator[Finding]],
) -> Callable[[Subject], Iterator[Finding]]:
    """Let `check` look at the queue's attributes; without them it finds nothing, which `check_queue` says once."""

    def checked(subject: Subject) -> Iterator[Finding]:
        if not isinstance(subject.attributes, QueueError):
            yield from check(subject, subject.attributes)

    checked.__doc__ = check.__doc__
    return checked


def check_queue(subject: Subject) -> Iterator[Finding]:
    """Is it there, and a standard queue?"""
    attributes, receive = subject.attributes, subject.settings.receive
    url = receive.queue_url
    if isinstance(attributes, QueueError):
        code = attributes.code.removesuffix("Exception")
        if code in _GONE:
            fix = command("sqs", "create-queue", "--queue-name", url.rpartition("/")[2], "--region", receive.region)
        elif code == "AccessDenied":
            fix = subject.allow(receive.queue_role_arn, NEEDED, subject.queue_arn)
        else:
            fix = subject.sqs("get-queue-attributes", "--attribute-names", "QueueArn") if attributes.code else ""
        yield problem(f"{url} cannot be used: {attributes.detail}", fix)
        yield warning(
            "its policies, its retention and its key, and the rights of the job, are not looked at until then"
        )
        return
    refusal = fifo_refusal(url, attributes)
    if refusal:
        name = url.rpartition("/")[2].removesuffix(".fifo")
        fix = command("sqs", "create-queue", "--queue-name", name, "--region", receive.region)
        yield problem(refusal, fix)
        return
    waiting, held = (int(attributes.get(f"ApproximateNumberOfMessages{suffix}", "0")) for suffix in ("", "NotVisible"))
    yield ok(f"{url}, a standard queue: {waiting:,} messages waiting, {held:,} held by a receiver")


@of_attributes
def check_rights(subject: Subject, _attributes: Mapping[str, str]) -> Iterator[Finding]:
    """May the job delete and return? Asked about a receipt that nobody ever had, so no message is touched."""
    queue = subject.outside.queue.get()
    asked: Mapping[str, Callable[[], object]] = {
        "delete": lambda: queue.delete([_NOBODY]),
        "return and extend": lambda: queue.change_visibility([_NOBODY], [0]),
    }
    refused = False
    for action, ask in asked.items():
        try:
            ask()
        except QueueError as error:
            refused = True
            fix = subject.allow(subject.settings.receive.queue_role_arn, NEEDED, subject.queue_arn)
            yield problem(f"the job may not {action} messages: {error.detail}", fix if error.permanent else "")
    if not refused:
        yield ok("may delete, return and extend messages; to receive is not tried, since that would touch one")


@of_attributes
def check_encryption(subject: Subject, attributes: Mapping[str, str]) -> Iterator[Finding]:
    """May S3 use the queue's key?"""
    key = attributes.get("KmsMasterKeyId")
    if not key:
        yield ok("no key of KMS: nothing more is needed to send")
    elif key.endswith("alias/aws/sqs"):
        yield problem(
            f"the queue's key is {key}, which S3 may not use: nothing arrives",
            subject.set_attributes(KmsMasterKeyId="", SqsManagedSseEnabled="true"),
        )
    else:
        key_policy = command("kms", "get-key-policy", "--key-id", key, "--policy-name", "default")
        yield warning(
            f"the queue's key is {key}; its policy, which is not looked at, must allow s3.amazonaws.com "
            "kms:GenerateDataKey and kms:Decrypt, and the job kms:Decrypt",
            f"{key_policy} --region {subject.settings.receive.region}",
        )
