"""What the bucket tells whom of its new objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.check.account import DENIED, RefusedError
from pipeline.check.findings import command, compact, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.check.findings import Finding
    from pipeline.check.subject import Subject

CREATED = "s3:ObjectCreated:"


def check_notifications(subject: Subject) -> Iterator[Finding]:
    """Does the bucket tell this queue about new objects, and of which?"""
    bucket, told = subject.bucket, subject.notifications if subject.bucket else {}
    if bucket is None:
        return
    allowed = subject.settings.receive.buckets
    if allowed and bucket not in allowed:
        names = ",".join([*allowed, bucket])
        yield problem(f"--buckets does not name {bucket}: its messages would be set aside", f"--buckets={names}")
    if isinstance(told, RefusedError):
        yield _unanswered(subject, bucket, told)
        return
    direct = [each for each in told.get("QueueConfigurations", ()) if each.get("QueueArn") == subject.queue_arn]
    for each in direct:
        yield _judged(subject, bucket, each)
    topics = [each for each in told.get("TopicConfigurations", ()) if creations(each)]
    if direct:
        return
    for each in topics:
        topic = each["TopicArn"]
        region = topic.split(":")[3]
        yield warning(
            f"by way of the SNS topic {topic}{_filters(each)}; whether the queue is subscribed there is not looked at",
            command("sns", "list-subscriptions-by-topic", "--topic-arn", topic, "--region", region),
        )
    if "EventBridgeConfiguration" in told:
        listed = ("events", "list-rule-names-by-target", "--target-arn", subject.queue_arn)
        yield warning(
            "by way of EventBridge; whether a rule sends to the queue is not looked at",
            command(*listed, "--region", subject.settings.receive.region),
        )
    elif not topics:
        yield _not_told(subject, bucket, told)


def creations(configuration: Mapping[str, Any]) -> list[str]:
    """Answer which of the events of a configuration are of new objects."""
    return [event for event in configuration.get("Events", ()) if event.startswith(CREATED)]


def taken(subject: Subject, told: Mapping[str, Any]) -> list[str]:
    """Answer what S3 tells of new objects instead of this queue, topics apart: those may have subscribers."""
    targets = {"QueueConfigurations": "QueueArn", "LambdaFunctionConfigurations": "LambdaFunctionArn"}
    each = ((one.get(arn), one) for kind, arn in targets.items() for one in told.get(kind, ()))
    return [str(arn) for arn, one in each if arn != subject.queue_arn and creations(one)]


def _filters(configuration: Mapping[str, Any]) -> str:
    rules = configuration.get("Filter", {}).get("Key", {}).get("FilterRules", ())
    said = " and ".join(f"{rule['Name'].lower()} {rule['Value']!r}" for rule in rules)
    return f", only keys with {said}" if said else ""


def _judged(subject: Subject, bucket: str, configuration: Mapping[str, Any]) -> Finding:
    events = creations(configuration)
    if not events:
        others = ", ".join(configuration.get("Events", ()))
        return problem(f"{bucket} tells the queue of {others}, and not of new objects", _put(subject, bucket))
    keys = _filters(configuration)
    if f"{CREATED}*" not in events:
        return warning(f"{bucket} tells the queue of {', '.join(events)} alone{keys}", _put(subject, bucket))
    return ok(f"{bucket} tells the queue of every new object{keys}")


def _not_told(subject: Subject, bucket: str, told: Mapping[str, Any]) -> Finding:
    there, here = subject.account.region_of(bucket), subject.queue_arn.split(":")[3]
    if there != here:
        return problem(
            f"{bucket} is in {there} and the queue in {here}: S3 tells queues of its own region, so make one there",
            command("sqs", "create-queue", "--queue-name", subject.queue_arn.rpartition(":")[2], "--region", there),
        )
    others = taken(subject, told)
    if others:
        return problem(
            f"{bucket} tells {', '.join(others)} of new objects, and S3 takes one target for an event: let EventBridge "
            "tell this queue",
            _by_a_rule(subject, bucket, told),
        )
    return problem(f"{bucket} does not tell this queue of new objects", _put(subject, bucket))


def _by_a_rule(subject: Subject, bucket: str, told: Mapping[str, Any]) -> str:
    """Write the commands that make the bucket tell EventBridge, which tells the queue; the other target stays."""
    name, region = subject.queue_arn.rpartition(":")[2], subject.settings.receive.region
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [bucket]}}}
    rule = command("events", "put-rule", "--region", region, "--name", name, "--event-pattern", compact(pattern))
    target = ("--rule", name, "--targets", f"Id=queue,Arn={subject.queue_arn}")
    configured = _configure(bucket, {**told, "EventBridgeConfiguration": {}})
    return " && ".join((configured, rule, command("events", "put-targets", "--region", region, *target)))


def _put(subject: Subject, bucket: str) -> str:
    """Write the command that makes the bucket tell the queue, and leaves everything else as it is."""
    told = {} if isinstance(subject.notifications, RefusedError) else dict(subject.notifications)
    others = [each for each in told.get("QueueConfigurations", ()) if each.get("QueueArn") != subject.queue_arn]
    mine: dict[str, Any] = next((each for each in told.get("QueueConfigurations", ()) if each not in others), {})
    events = [event for event in mine.get("Events", ()) if not event.startswith(CREATED)] + [f"{CREATED}*"]
    told["QueueConfigurations"] = [*others, {**mine, "QueueArn": subject.queue_arn, "Events": events}]
    return _configure(bucket, told)


def _configure(bucket: str, told: Mapping[str, Any]) -> str:
    put = ("s3api", "put-bucket-notification-configuration", "--bucket", bucket)
    return command(*put, "--notification-configuration", compact(told))


def _unanswered(subject: Subject, bucket: str, error: RefusedError) -> Finding:
    if error.code == "NoSuchBucket":
        return problem(f"there is no bucket {bucket}: {error.detail}", command("s3", "mb", f"s3://{bucket}"))
    role = subject.settings.fetch.source_role_arn
    rights = subject.allow(role, ["s3:GetBucketNotification"], subject.bucket_arn(bucket))
    return warning(
        f"cannot tell what {bucket} tells: {error.detail}; the job needs no right to see it, only this check does",
        rights if error.code == DENIED else "",
    )
