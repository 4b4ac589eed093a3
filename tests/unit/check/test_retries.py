"""How long a message is hidden, tried and kept."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipeline.check.findings import Level, ok, warning
from pipeline.check.retries import check_redrive_policy, check_retention, check_visibility, retry_schedule_s
from tests.check_subjects import ARN, ATTRIBUTES, REGION, SETTINGS, URL, a_subject, with_receive
from transforms.failures import QueueError
from transforms.settings import LeaseSettings

SET = f"aws sqs set-queue-attributes --queue-url {URL} --region {REGION} --attributes"
LETTERS = f"{ARN}-dead-letters"


def _redrive(most: object) -> dict[str, str]:
    policy = {"deadLetterTargetArn": "arn:theirs", "maxReceiveCount": most}
    return {**ATTRIBUTES, "RedrivePolicy": json.dumps(policy)}


def _policy_of(fix: str) -> dict[str, object]:
    policy: dict[str, object] = json.loads(json.loads(fix.rpartition("--attributes ")[2].strip("'"))["RedrivePolicy"])
    return policy


def test_a_job_that_speaks_before_sqs_is_fine() -> None:
    """More than twice, because of what kills workers."""
    expected = ok("maxReceiveCount is 20, more than twice --give_up_after, 5: the job speaks first")

    assert [expected] == list(check_redrive_policy(a_subject()))


@pytest.mark.parametrize(
    ("most", "said"),
    [
        (5, "the queue's maxReceiveCount is 5 and --give_up_after is 5: SQS takes a failing message before this job"),
        (10, "maxReceiveCount is 10 and --give_up_after is 5: SQS takes a message that kills workers before this job"),
    ],
)
def test_a_queue_that_gives_up_first_is_a_warning_whose_fix_keeps_the_target(most: int, said: str) -> None:
    """The sentence of the start, or of what only a crash shows."""
    (found,) = check_redrive_policy(a_subject(attributes=_redrive(most)))

    assert Level.WARNING == found.level
    assert found.found.startswith(said)
    assert {"deadLetterTargetArn": "arn:theirs", "maxReceiveCount": "20"} == _policy_of(found.fix)


@pytest.mark.parametrize(("give_up_after", "most"), [(5, "20"), (500, "1000")])
def test_a_queue_without_a_redrive_policy_gets_one(give_up_after: int, most: str) -> None:
    """And the queue for it first; SQS allows a thousand receives."""
    attributes = {name: value for name, value in ATTRIBUTES.items() if name != "RedrivePolicy"}
    (found,) = check_redrive_policy(
        a_subject(attributes=attributes, settings=with_receive(give_up_after=give_up_after))
    )

    assert Level.WARNING == found.level
    assert found.fix.startswith(
        f"aws sqs create-queue --queue-name new-objects-dead-letters --region {REGION} --attributes "
        f"MessageRetentionPeriod=1209600 && {SET} "
    )
    assert {"deadLetterTargetArn": LETTERS, "maxReceiveCount": most} == _policy_of(found.fix)


def test_visibility_is_the_jobs_own_affair() -> None:
    """Whatever the queue says."""
    expected = ok(
        "hidden for 60 s and extended while it is in work, 3,660 s at most, where SQS allows 43,200 s; the queue's own "
        "30 s is for other receivers"
    )

    assert [expected] == list(check_visibility(a_subject()))


def test_a_queue_that_delays_is_a_warning() -> None:
    """Somebody may want it."""
    _, found = check_visibility(a_subject(attributes={**ATTRIBUTES, "DelaySeconds": "90"}))

    assert warning("DelaySeconds is 90: every message comes so late", f'{SET} \'{{"DelaySeconds":"0"}}\'') == found


def test_a_queue_that_keeps_a_message_for_longer_than_it_is_tried_is_fine() -> None:
    """A week against two minutes and a half."""
    expected = ok("7 days; the waits between 5 receives add up to 150 s")

    assert [expected] == list(check_retention(a_subject()))


@pytest.mark.parametrize(
    ("kept_s", "leases", "give_up_after", "level", "said"),
    [
        (3600, LeaseSettings(), 5, Level.WARNING, "3,600 s: an outage that lasts longer loses messages; the waits"),
        (4 * 86_400, LeaseSettings(), 5, Level.OK, "4 days; the waits between 5 receives add up to 150 s"),
        (60, LeaseSettings(), 5, Level.PROBLEM, "60 s, and the waits between 5 receives add up to 150 s: SQS forgets"),
        (
            14 * 86_400,
            LeaseSettings(retry_base_s=43_200, retry_max_s=43_200),
            29,
            Level.PROBLEM,
            "14 days, and the waits between 29 receives add up to 14 days: SQS forgets",
        ),
    ],
)
def test_retention_is_compared_with_the_retry_schedule(
    kept_s: int, leases: LeaseSettings, give_up_after: int, level: Level, said: str
) -> None:
    """What SQS forgets first is lost without a word, so that is a problem and not a warning."""
    settings = replace(SETTINGS, receive=replace(SETTINGS.receive, give_up_after=give_up_after), leases=leases)
    attributes = {**ATTRIBUTES, "MessageRetentionPeriod": str(kept_s)}

    (found,) = check_retention(a_subject(attributes=attributes, settings=settings))

    longest = f'{SET} \'{{"MessageRetentionPeriod":"1209600"}}\''
    fixes = {Level.OK: "", Level.WARNING: longest, Level.PROBLEM: longest}
    assert level == found.level
    assert found.found.startswith(said)
    assert ("lower --retry_max_s or --give_up_after" if kept_s > 10**6 else fixes[level]) == found.fix


@pytest.mark.parametrize(("receives", "seconds"), [(1, 0), (2, 10), (5, 150), (9, 2170), (1000, 894_070)])
def test_the_schedule_is_the_sum_of_the_waits(receives: int, seconds: float) -> None:
    """Doubling from --retry_base_s to --retry_max_s."""
    assert seconds == retry_schedule_s(LeaseSettings(), receives)


def test_of_a_queue_that_does_not_answer_nothing_is_said() -> None:
    """Its own line does."""
    subject = a_subject(attributes=QueueError("no"))

    assert [] == [*check_redrive_policy(subject), *check_visibility(subject), *check_retention(subject)]
