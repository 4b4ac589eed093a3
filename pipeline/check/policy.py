"""Whether the queue lets itself be told: its policy, judged for S3 or for whoever stands between."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.check.account import RefusedError
from pipeline.check.findings import compact, ok, problem, warning
from pipeline.check.notifications import creations, taken
from pipeline.check.policy_language import Sender, may_send, statement_for, unsure_of_account, with_statement
from pipeline.check.queue import of_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.check.findings import Finding
    from pipeline.check.policy_language import Verdict
    from pipeline.check.subject import Subject

S3, SNS, EVENTS = "s3.amazonaws.com", "sns.amazonaws.com", "events.amazonaws.com"


@of_attributes
def check_policy(subject: Subject, attributes: Mapping[str, str]) -> Iterator[Finding]:
    """Does the queue's policy let S3 send, or whoever stands between?"""
    if subject.bucket is None:
        return
    policy = mended = attributes.get("Policy")
    shown = subject.sqs("get-queue-attributes", "--attribute-names", "Policy")
    for sender in _senders(subject, subject.bucket):
        who = f"{sender.service} for {sender.source_arn or 'a rule'}"
        try:
            allowed, because = _judged(subject, policy, sender)
        except ValueError as error:
            yield problem(f"cannot be read: {error}", shown)
            return
        if allowed:
            yield ok(f"{who} may send")
        elif allowed is None:
            yield warning(f"cannot tell whether {who} may send: {because} decides", shown)
        elif because:
            yield problem(f"{who} may not send: {because} denies it", shown)
        else:  # the second command has what the first one adds, too
            mended = compact(with_statement(mended, statement_for(subject.queue_arn, sender)))
            yield problem(f"{who} may not send: nothing allows it", subject.set_attributes(Policy=mended))


def _judged(subject: Subject, policy: str | None, sender: Sender) -> Verdict:
    verdict = may_send(policy, subject.queue_arn, sender)
    is_guess = sender.service == S3 and subject.settings.fetch.expected_bucket_owner is None
    if verdict.allowed or not is_guess:
        return verdict
    return may_send(policy, subject.queue_arn, unsure_of_account(sender))


def _senders(subject: Subject, bucket: str) -> list[Sender]:
    """Answer who has to be let: S3 itself, unless the bucket tells only others."""
    direct = Sender(S3, subject.bucket_arn(bucket), subject.owner)
    told = subject.notifications
    if isinstance(told, RefusedError) or any(
        each.get("QueueArn") == subject.queue_arn for each in told.get("QueueConfigurations", ())
    ):
        return [direct]
    topics = [each["TopicArn"] for each in told.get("TopicConfigurations", ()) if creations(each)]
    others = [Sender(SNS, topic, topic.split(":")[4]) for topic in topics]
    by_rule = "EventBridgeConfiguration" in told or (not topics and taken(subject, told))
    others += [Sender(EVENTS)] if by_rule else []
    return others or [direct]
