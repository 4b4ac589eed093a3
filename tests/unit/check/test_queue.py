"""The queue: there, standard, and what may be done with it."""

from __future__ import annotations

import pytest

from pipeline.check.findings import Level, ok, problem, warning
from pipeline.check.queue import check_encryption, check_queue, check_rights
from tests.check_subjects import ARN, ATTRIBUTES, REGION, URL, a_subject, with_receive
from transforms.failures import QueueError

UNSEEN = warning("its policies, its retention and its key, and the rights of the job, are not looked at until then")
CREATE = f"aws sqs create-queue --queue-name new-objects --region {REGION}"
ROLE = "arn:aws:iam::210987654321:role/reader"


def test_a_good_queue_says_how_much_waits_in_it() -> None:
    """Who starts a job wants to know."""
    expected = ok(f"{URL}, a standard queue: 1,234 messages waiting, 5 held by a receiver")

    assert [expected] == list(check_queue(a_subject()))


@pytest.mark.parametrize("code", ["NonExistentQueue", "QueueDoesNotExist"])
def test_a_queue_that_is_not_there_is_made_by_the_fix(code: str) -> None:
    """What else there is to see of it waits, and is told once."""
    subject = a_subject(attributes=QueueError("no such queue", code=code, permanent=True))

    assert [problem(f"{URL} cannot be used: no such queue", CREATE), UNSEEN] == list(check_queue(subject))
    assert [] == [*check_rights(subject), *check_encryption(subject)]


def test_a_queue_that_may_not_be_asked_needs_the_least_policy() -> None:
    """On the role that asks."""
    error = QueueError("denied", code="AccessDeniedException", permanent=True)
    (found, _) = check_queue(a_subject(attributes=error, settings=with_receive(queue_role_arn=ROLE)))

    assert (
        "aws iam put-role-policy --role-name reader --policy-name sqs-pipeline-ReceiveMessage-new-objects "
        '--policy-document \'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sqs:ReceiveMessage",'
        f'"sqs:DeleteMessage","sqs:ChangeMessageVisibility","sqs:GetQueueAttributes"],"Resource":["{ARN}"]}}]}}\''
    ) == found.fix


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("", ""),
        (
            "InvalidAddress",
            f"aws sqs get-queue-attributes --queue-url {URL} --region {REGION} --attribute-names QueueArn",
        ),
    ],
)
def test_a_queue_that_cannot_be_asked_for_another_reason_shows_how_to_ask(code: str, fix: str) -> None:
    """An outage has no command."""
    (found, _) = check_queue(a_subject(attributes=QueueError("no", code=code)))

    assert problem(f"{URL} cannot be used: no", fix) == found


def test_a_fifo_queue_is_a_problem() -> None:
    """As at the start of the job."""
    expected = f"The queue {URL} is a FIFO queue; S3 notifies standard queues only, and this job reads those"

    assert [problem(expected, CREATE)] == list(check_queue(a_subject(attributes={**ATTRIBUTES, "FifoQueue": "true"})))


def test_rights_are_seen_without_touching_a_message() -> None:
    """Receiving would hide one, and count."""
    expected = ok("may delete, return and extend messages; to receive is not tried, since that would touch one")

    assert [expected] == list(check_rights(a_subject()))


@pytest.mark.parametrize("permanent", [True, False])
def test_rights_that_are_missing_are_named_one_by_one(*, permanent: bool) -> None:
    """A refusal for another reason than rights has no command."""
    found = list(check_rights(a_subject(rights=QueueError("no", code="AccessDenied", permanent=permanent))))

    assert [
        (Level.PROBLEM, "the job may not delete messages: no"),
        (Level.PROBLEM, "the job may not return and extend messages: no"),
    ] == [(each.level, each.found) for each in found]
    assert [permanent] * 2 == ["put-role-policy" in each.fix for each in found]


def test_a_queue_without_a_key_needs_nothing() -> None:
    """SQS's own encryption is nobody's affair."""
    assert [ok("no key of KMS: nothing more is needed to send")] == list(check_encryption(a_subject()))


def test_the_key_that_aws_manages_is_a_problem() -> None:
    """S3 may not use it, and nothing ever arrives."""
    (found,) = check_encryption(a_subject(attributes={**ATTRIBUTES, "KmsMasterKeyId": "alias/aws/sqs"}))

    assert Level.PROBLEM == found.level
    assert '\'{"KmsMasterKeyId":"","SqsManagedSseEnabled":"true"}\'' in found.fix


def test_a_key_of_ones_own_cannot_be_told() -> None:
    """Its policy is KMS's."""
    (found,) = check_encryption(a_subject(attributes={**ATTRIBUTES, "KmsMasterKeyId": "alias/ours"}))

    assert Level.WARNING == found.level
    assert f"aws kms get-key-policy --key-id alias/ours --policy-name default --region {REGION}" == found.fix
