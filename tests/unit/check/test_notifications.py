"""What the bucket tells whom of its new objects."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.check.account import RefusedError
from pipeline.check.findings import Level, ok, problem, warning
from pipeline.check.notifications import check_notifications
from tests.check_subjects import (
    ARN,
    BUCKET,
    BY_EVENTS,
    BY_TOPIC,
    REGION,
    TOLD,
    TOPIC,
    FakeAccount,
    a_subject,
    denied,
    told_otherwise,
    with_receive,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.check.findings import Finding


def _configured_by(found: Finding) -> dict[str, Any]:
    *words, configuration = shlex.split(found.fix)
    expected = f"aws s3api put-bucket-notification-configuration --bucket {BUCKET} --notification-configuration"
    assert expected.split() == words
    document: dict[str, Any] = json.loads(configuration)
    return document


def test_without_a_bucket_nothing_is_asked() -> None:
    """The queue may be filled by anybody."""
    assert [] == list(check_notifications(a_subject(bucket=None, account=FakeAccount(told=AssertionError("asked")))))


def test_a_bucket_that_tells_the_queue_is_ok_with_its_filters() -> None:
    """A filter is the usual answer to: why was this object not processed?"""
    rules = [{"Name": "Prefix", "Value": "alb/"}, {"Name": "suffix", "Value": ".gz"}]
    filtered = {**TOLD["QueueConfigurations"][0], "Filter": {"Key": {"FilterRules": rules}}}

    assert [ok(f"{BUCKET} tells the queue of every new object")] == list(check_notifications(a_subject()))
    assert [ok(f"{BUCKET} tells the queue of every new object, only keys with prefix 'alb/' and suffix '.gz'")] == list(
        check_notifications(told_otherwise({"QueueConfigurations": [filtered]}))
    )


def test_a_bucket_that_tells_another_queue_gets_one_configuration_more() -> None:
    """The others stay: the call replaces all of them."""
    other = {"QueueArn": f"{ARN}-2", "Events": ["s3:ObjectRemoved:*"]}
    told = {"QueueConfigurations": [other], "LambdaFunctionConfigurations": [{"Id": "x"}]}
    (found,) = check_notifications(told_otherwise(told))

    assert f"{BUCKET} does not tell this queue of new objects" == found.found
    mine = {"QueueArn": ARN, "Events": ["s3:ObjectCreated:*"]}
    assert {**told, "QueueConfigurations": [other, mine]} == _configured_by(found)


@pytest.mark.parametrize(
    "taken",
    [
        {"QueueConfigurations": [{"QueueArn": f"{ARN}-2", "Events": ["s3:ObjectCreated:*"]}]},
        {"LambdaFunctionConfigurations": [{"LambdaFunctionArn": f"{ARN}-2", "Events": ["s3:ObjectCreated:Put"]}]},
    ],
)
def test_a_bucket_whose_new_objects_are_told_elsewhere_tells_this_queue_by_a_rule(taken: Mapping[str, Any]) -> None:
    """S3 refuses a second target for one event; whoever is told already stays so."""
    (found,) = check_notifications(told_otherwise(taken))

    configure, rule, target = found.fix.split(" && ")
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [BUCKET]}}}
    assert found.found.startswith(f"{BUCKET} tells {ARN}-2 of new objects, and S3 takes one target for an event")
    assert {**taken, "EventBridgeConfiguration": {}} == json.loads(shlex.split(configure)[-1])
    assert f"aws events put-rule --region {REGION} --name new-objects --event-pattern".split() == shlex.split(rule)[:-1]
    assert pattern == json.loads(shlex.split(rule)[-1])
    expected = f"aws events put-targets --region {REGION} --rule new-objects --targets Id=queue,Arn={ARN}"
    assert expected == target


@pytest.mark.parametrize(
    ("events", "level", "said", "becomes"),
    [
        (
            ["s3:ObjectCreated:Put"],
            Level.WARNING,
            f"{BUCKET} tells the queue of s3:ObjectCreated:Put alone",
            ["s3:ObjectCreated:*"],
        ),
        (
            ["s3:ObjectRemoved:*"],
            Level.PROBLEM,
            f"{BUCKET} tells the queue of s3:ObjectRemoved:*, and not of new objects",
            ["s3:ObjectRemoved:*", "s3:ObjectCreated:*"],
        ),
    ],
)
def test_a_bucket_that_does_not_tell_of_every_new_object(
    events: list[str], level: Level, said: str, becomes: list[str]
) -> None:
    """Large objects are uploaded in parts, and those are no Put."""
    mine = {"Id": "1", "QueueArn": ARN, "Events": events}
    (found,) = check_notifications(told_otherwise({"QueueConfigurations": [mine]}))

    assert (level, said) == (found.level, found.found)
    assert {"QueueConfigurations": [{**mine, "Events": becomes}]} == _configured_by(found)


def test_a_bucket_of_another_region_cannot_tell_the_queue() -> None:
    """S3 would refuse the configuration."""
    (found,) = check_notifications(a_subject(account=FakeAccount(told={}, region="eu-west-1")))

    assert found.found.startswith(
        f"{BUCKET} is in eu-west-1 and the queue in {REGION}: S3 tells queues of its own region"
    )
    assert "aws sqs create-queue --queue-name new-objects --region eu-west-1" == found.fix


def test_ways_that_are_not_followed_are_warnings_with_the_command_that_shows_the_rest() -> None:
    """Subscriptions and rules are rights of their own."""
    found = list(check_notifications(told_otherwise({**BY_TOPIC, **BY_EVENTS})))

    assert [
        warning(
            f"by way of the SNS topic {TOPIC}; whether the queue is subscribed there is not looked at",
            f"aws sns list-subscriptions-by-topic --topic-arn {TOPIC} --region {REGION}",
        ),
        warning(
            "by way of EventBridge; whether a rule sends to the queue is not looked at",
            f"aws events list-rule-names-by-target --target-arn {ARN} --region {REGION}",
        ),
    ] == found
    assert found[:1] == list(check_notifications(told_otherwise(BY_TOPIC)))


def test_a_bucket_that_the_job_would_set_aside_is_a_problem() -> None:
    """Every one of its messages."""
    found, _ = check_notifications(a_subject(settings=with_receive(buckets=("a", "b"))))

    expected = f"--buckets does not name {BUCKET}: its messages would be set aside"
    assert problem(expected, f"--buckets=a,b,{BUCKET}") == found


@pytest.mark.parametrize(
    ("error", "level", "fix"),
    [
        (RefusedError("NoSuchBucket", "NoSuchBucket"), Level.PROBLEM, f"aws s3 mb s3://{BUCKET}"),
        (RefusedError("timed out"), Level.WARNING, ""),
        (denied(), Level.WARNING, "aws iam put-role-policy --role-name job"),
    ],
)
def test_a_bucket_that_does_not_answer(error: RefusedError, level: Level, fix: str) -> None:
    """The job itself needs no right to see its notifications."""
    (found,) = check_notifications(a_subject(account=FakeAccount(told=error)))

    assert level == found.level
    assert found.fix.startswith(fix)
    assert bool(fix) == bool(found.fix)
