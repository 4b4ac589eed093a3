"""Credentials, roles and the clock."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.check.account import RefusedError
from pipeline.check.findings import Level, ok, problem, warning
from pipeline.check.identity import check_clock, check_credentials, check_roles
from tests.check_subjects import CALLER, FakeAccount, a_subject, denied, with_receive
from transforms.settings import WriteSettings

ROLE = "arn:aws:iam::210987654321:role/teams/reader"


def test_it_says_who_the_job_is() -> None:
    """As AWS sees it."""
    assert [ok(CALLER)] == list(check_credentials(a_subject()))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            RefusedError("Unable to locate credentials", "NoCredentials"),
            problem(
                "Unable to locate credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run with an IAM role",
                "aws configure",
            ),
        ),
        (
            RefusedError("InvalidClientTokenId from GetCallerIdentity: no", "InvalidClientTokenId"),
            problem("AWS does not take them: InvalidClientTokenId from GetCallerIdentity: no", "aws configure list"),
        ),
        (RefusedError("refused"), warning("STS does not answer, which only roles need: refused")),
    ],
)
def test_credentials_that_are_not_there_or_not_taken(error: RefusedError, expected: object) -> None:
    """A network without a way to STS is not the job's trouble."""
    assert [expected] == list(check_credentials(a_subject(account=FakeAccount(arn=error))))


def test_who_it_is_is_asked_once() -> None:
    """A refusal, too: it may take a minute."""
    account = FakeAccount(arn=RefusedError("refused"))
    subject = a_subject(account=account)

    list(check_credentials(subject))
    list(check_credentials(subject))

    assert 1 == account.asked


def test_each_role_is_assumed() -> None:
    """Those that no option names are not asked for."""
    settings = replace(
        with_receive(queue_role_arn=ROLE), write=WriteSettings(output="s3://r", output_role_arn=f"{ROLE}-2")
    )
    account = FakeAccount(roles={ROLE: "as-reader", f"{ROLE}-2": "as-writer"})

    assert [] == list(check_roles(a_subject()))
    assert [ok("--queue_role_arn: as-reader"), ok("--output_role_arn: as-writer")] == list(
        check_roles(a_subject(settings=settings, account=account))
    )


def test_a_role_that_may_not_be_assumed_names_both_sides_that_must_allow_it() -> None:
    """The command is for this side; the other is another account's."""
    account = FakeAccount(roles={ROLE: denied("AssumeRole")})
    (found,) = check_roles(a_subject(settings=with_receive(queue_role_arn=ROLE), account=account))

    assert (
        problem(
            "--queue_role_arn cannot be assumed: AccessDenied from AssumeRole: no; "
            f"its trust policy must name {CALLER}, too",
            "aws iam put-role-policy --role-name job --policy-name sqs-pipeline-AssumeRole-reader --policy-document "
            '\'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:AssumeRole"],'
            f'"Resource":["{ROLE}"]}}]}}\'',
        )
        == found
    )


def test_a_role_is_not_assumed_while_nobody_answers() -> None:
    """No right is missing."""
    silent = RefusedError("timed out")
    account = FakeAccount(arn=silent, roles={ROLE: silent})

    assert [problem("--queue_role_arn cannot be assumed: timed out")] == list(
        check_roles(a_subject(settings=with_receive(queue_role_arn=ROLE), account=account))
    )


def test_a_role_refused_to_somebody_unknown_says_the_job() -> None:
    """There is no ARN to name."""
    account = FakeAccount(arn=RefusedError("refused"), roles={ROLE: denied("AssumeRole")})
    (found,) = check_roles(a_subject(settings=with_receive(queue_role_arn=ROLE), account=account))

    assert "must name the job, too" in found.found
    assert "--role-name ROLE-OF-THE-JOB" in found.fix


@pytest.mark.parametrize(
    ("error_s", "level", "said"),
    [
        (0.4, Level.OK, "within 30 s of AWS's"),
        (-29.0, Level.OK, "within 30 s of AWS's"),
        (31.0, Level.WARNING, "31 s ahead of AWS's; signatures are refused from 300 s on"),
        (-3600.0, Level.PROBLEM, "3,600 s behind AWS's; signatures are refused from 300 s on"),
    ],
)
def test_a_clock_is_as_wrong_as_signatures_mind(error_s: float, level: Level, said: str) -> None:
    """With the command that keeps it right."""
    (found,) = check_clock(a_subject(account=FakeAccount(clock=error_s)))

    assert (level, said) == (found.level, found.found)
    assert ("" if level is Level.OK else "sudo timedatectl set-ntp true") == found.fix


def test_a_clock_with_nobody_to_compare_it_with_is_a_warning() -> None:
    """The queue's line says the rest."""
    account = FakeAccount(clock=RefusedError("connection refused"))
    expected = warning("cannot be compared, since SQS does not answer: connection refused")

    assert [expected] == list(check_clock(a_subject(account=account)))
