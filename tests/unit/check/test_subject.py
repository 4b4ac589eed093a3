"""What the checks know of a job, and the commands that carry its names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.check.account import RefusedError
from pipeline.options import Settings
from tests.check_subjects import ARN, CALLER, SETTINGS, FakeAccount, a_subject
from transforms.failures import QueueError
from transforms.settings import FetchSettings, ReceiveSettings

ROLE = "arn:aws:iam::210987654321:role/teams/reader"


def test_the_queue_says_its_own_arn_and_else_its_url_does() -> None:
    """The partition is the region's."""
    silent = QueueError("no")
    url = "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q"
    chinese = Settings(ReceiveSettings(url, region="cn-north-1"))
    american = Settings(ReceiveSettings(url, region="us-gov-west-1"))

    assert "arn:said" == a_subject(attributes={"QueueArn": "arn:said"}).queue_arn
    assert ARN == a_subject(attributes=silent).queue_arn
    assert "arn:aws-cn:sqs:cn-north-1:123456789012:q" == a_subject(attributes=silent, settings=chinese).queue_arn
    assert "arn:aws-us-gov:s3:::b" == a_subject(settings=american).bucket_arn("b")


@pytest.mark.parametrize(
    ("fetch", "caller", "expected"),
    [
        (FetchSettings(), CALLER, "123456789012"),
        (FetchSettings(source_role_arn=ROLE), CALLER, "210987654321"),
        (FetchSettings(source_role_arn=ROLE, expected_bucket_owner="111111111111"), CALLER, "111111111111"),
        (FetchSettings(), RefusedError("no"), None),
    ],
)
def test_the_bucket_is_probably_of_the_account_that_reads_it(
    fetch: FetchSettings, caller: str | RefusedError, expected: str | None
) -> None:
    """Unless the user says whose it is."""
    subject = a_subject(settings=replace(SETTINGS, fetch=fetch), account=FakeAccount(arn=caller))

    assert expected == subject.owner


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        (CALLER, "put-role-policy --role-name job "),
        ("arn:aws:iam::123456789012:user/people/me", "put-user-policy --user-name me "),
        ("arn:aws:iam::123456789012:root", "put-role-policy --role-name ROLE-OF-THE-JOB "),
        (RefusedError("no"), "put-role-policy --role-name ROLE-OF-THE-JOB "),
    ],
)
def test_a_right_is_given_to_whoever_asks(caller: str | RefusedError, words: str) -> None:
    """A role without the name of its session, a user without its path."""
    subject = a_subject(account=FakeAccount(arn=caller))

    assert subject.allow(None, ["s3:GetObject"], "arn:x").startswith(f"aws iam {words}")
    assert " --role-name reader " in subject.allow(ROLE, ["s3:GetObject"], "arn:x")


def test_two_rights_have_two_names() -> None:
    """The second command would take back what the first gave."""
    subject = a_subject()

    names = {subject.allow(None, [action], arn).split("--policy-name ")[1].split()[0] for action, arn in (
        ("s3:GetObject", "arn:aws:s3:::a"), ("s3:ListBucket", "arn:aws:s3:::a"), ("s3:GetObject", "arn:aws:s3:::b")
    )}  # fmt: skip

    assert 3 == len(names)
