"""How long the queue hides and keeps what fails, beside how often and how long the job tries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.check.findings import command, ok, problem, span, warning
from pipeline.check.queue import of_attributes
from pipeline.start_up import max_receive_count, redrive_warning
from transforms.queues import SQS_MAX_VISIBILITY_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.check.findings import Finding
    from pipeline.check.subject import Subject
    from transforms.settings import LeaseSettings

MAX_RETENTION_S = 14 * 86_400
SQS_MAX_RECEIVE_COUNT = 1000
USUAL_RETENTION_S = 4 * 86_400
"""SQS's own default; less does not outlast a long weekend."""


@of_attributes
def check_redrive_policy(subject: Subject, attributes: Mapping[str, str]) -> Iterator[Finding]:
    """Does the job speak before SQS moves a message away without a word?"""
    give_up_after = subject.settings.receive.give_up_after
    enough = min(4 * give_up_after, SQS_MAX_RECEIVE_COUNT)
    most = max_receive_count(attributes)
    if most is None:
        letters = f"{subject.queue_arn}-dead-letters"
        region = subject.settings.receive.region
        made = command(
            *("sqs", "create-queue", "--queue-name", letters.rpartition(":")[2], "--region", region),
            *("--attributes", f"MessageRetentionPeriod={MAX_RETENTION_S}"),
        )
        policy = {"deadLetterTargetArn": letters, "maxReceiveCount": str(enough)}
        yield warning(
            "none: a message that the job can never settle comes again and again until SQS forgets it",
            f"{made} && {subject.set_attributes(RedrivePolicy=policy)}",
        )
        return
    fix = subject.set_attributes(
        RedrivePolicy={**json.loads(attributes["RedrivePolicy"]), "maxReceiveCount": str(enough)}
    )
    said = redrive_warning(attributes, give_up_after)
    if said:
        yield warning(said, fix)
    elif most <= 2 * give_up_after:
        yield warning(
            f"maxReceiveCount is {most} and --give_up_after is {give_up_after}: SQS takes a message that kills workers "
            f"before this job sets it aside, after more than {2 * give_up_after} receives",
            fix,
        )
    else:
        yield ok(f"maxReceiveCount is {most}, more than twice --give_up_after, {give_up_after}: the job speaks first")


@of_attributes
def check_visibility(subject: Subject, attributes: Mapping[str, str]) -> Iterator[Finding]:
    """How long is a message hidden, and does it come at once?"""
    leases, of_queue = subject.settings.leases, attributes.get("VisibilityTimeout", "30")
    longest = leases.max_processing_s + leases.visibility_timeout_s
    yield ok(
        f"hidden for {leases.visibility_timeout_s:,} s and extended while it is in work, {longest:,} s at most, where "
        f"SQS allows {SQS_MAX_VISIBILITY_S:,} s; the queue's own {of_queue} s is for other receivers"
    )
    delay_s = int(attributes.get("DelaySeconds", "0"))
    if delay_s:
        yield warning(
            f"DelaySeconds is {delay_s}: every message comes so late", subject.set_attributes(DelaySeconds="0")
        )


@of_attributes
def check_retention(subject: Subject, attributes: Mapping[str, str]) -> Iterator[Finding]:
    """Does the queue keep a message for longer than the job tries?"""
    kept_s = int(attributes.get("MessageRetentionPeriod", USUAL_RETENTION_S))
    give_up_after = subject.settings.receive.give_up_after
    tried_s = retry_schedule_s(subject.settings.leases, give_up_after)
    fix = subject.set_attributes(MessageRetentionPeriod=str(MAX_RETENTION_S))
    schedule = f"the waits between {give_up_after} receives add up to {span(tried_s)}"
    if tried_s >= kept_s:
        yield problem(
            f"{span(kept_s)}, and {schedule}: SQS forgets a failing message before it is set aside",
            fix if tried_s < MAX_RETENTION_S else "lower --retry_max_s or --give_up_after",
        )
    elif kept_s < USUAL_RETENTION_S:
        yield warning(f"{span(kept_s)}: an outage that lasts longer loses messages; {schedule}", fix)
    else:
        yield ok(f"{span(kept_s)}; {schedule}")


def retry_schedule_s(leases: LeaseSettings, give_up_after: int) -> float:
    """Answer how long a failing message is returned before it is set aside, without what the work itself takes."""
    waits = (min(leases.retry_base_s * 2.0 ** min(n, 64), leases.retry_max_s) for n in range(give_up_after - 1))
    return sum(waits)
