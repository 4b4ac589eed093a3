"""Whether the queue lets itself be told."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.check.findings import Level, ok, problem, warning
from pipeline.check.policy import check_policy
from tests.check_subjects import (
    ARN,
    ATTRIBUTES,
    BUCKET,
    BY_EVENTS,
    BY_TOPIC,
    SETTINGS,
    SHOW_POLICY,
    STATEMENT,
    TOLD,
    TOPIC,
    FakeAccount,
    a_subject,
    denied,
    told_otherwise,
)
from transforms.settings import FetchSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.check.subject import Subject


def _with_policy(policy: object, **more: Any) -> Subject:  # noqa: ANN401 - of many kinds
    text = policy if isinstance(policy, str) else json.dumps({"Statement": policy})
    return a_subject(attributes={**ATTRIBUTES, "Policy": text}, **more)


def test_a_policy_that_lets_the_bucket_send_is_ok() -> None:
    """For this bucket."""
    assert [ok(f"s3.amazonaws.com for arn:aws:s3:::{BUCKET} may send")] == list(check_policy(a_subject()))


def test_a_policy_that_does_not_gets_a_statement_more() -> None:
    """What it has stays."""
    other = {**STATEMENT, "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:s3:::other"}}}
    (found,) = check_policy(_with_policy([other]))

    assert (Level.PROBLEM, f"s3.amazonaws.com for arn:aws:s3:::{BUCKET} may not send: nothing allows it") == (
        found.level,
        found.found,
    )
    attributes = json.loads(shlex.split(found.fix)[-1])
    assert [other, STATEMENT] == json.loads(attributes["Policy"])["Statement"]


def test_a_denial_is_shown_and_not_taken_out() -> None:
    """Whoever wrote it had a reason."""
    denial = {"Sid": "Frozen", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}
    (found,) = check_policy(_with_policy([STATEMENT, denial]))

    expected = f"s3.amazonaws.com for arn:aws:s3:::{BUCKET} may not send: its statement Frozen denies it"
    assert problem(expected, SHOW_POLICY) == found


def test_a_condition_on_what_is_not_known_cannot_betold_otherwise() -> None:
    """The account of the bucket is a guess unless it is expected."""
    policy = [{**STATEMENT, "Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}]
    expected = replace(SETTINGS, fetch=FetchSettings(expected_bucket_owner="111111111111"))
    owned = replace(SETTINGS, fetch=FetchSettings(expected_bucket_owner="999999999999"))

    (guessed,) = check_policy(_with_policy(policy))
    (refused,) = check_policy(_with_policy(policy, settings=expected))
    (allowed,) = check_policy(_with_policy(policy, settings=owned))

    said = f"cannot tell whether s3.amazonaws.com for arn:aws:s3:::{BUCKET} may send: its statement with conditions on"
    assert warning(f"{said} aws:SourceAccount decides", SHOW_POLICY) == guessed
    assert [Level.PROBLEM, Level.OK] == [refused.level, allowed.level]


def test_what_is_no_policy_is_a_problem() -> None:
    """Stand-ins keep what they are given."""
    (found,) = check_policy(_with_policy("?"))

    assert (Level.PROBLEM, SHOW_POLICY) == (found.level, found.fix)


@pytest.mark.parametrize(
    ("told", "sender"),
    [
        (BY_TOPIC, f"sns.amazonaws.com for {TOPIC}"),
        (BY_EVENTS, "events.amazonaws.com for a rule"),
        ({**BY_TOPIC, **TOLD}, f"s3.amazonaws.com for arn:aws:s3:::{BUCKET}"),
        ({}, f"s3.amazonaws.com for arn:aws:s3:::{BUCKET}"),
        (denied(), f"s3.amazonaws.com for arn:aws:s3:::{BUCKET}"),
    ],
)
def test_whoever_stands_before_the_queue_must_be_let(told: Mapping[str, Any], sender: str) -> None:
    """S3 itself, a topic or a rule."""
    (found,) = check_policy(told_otherwise(told, attributes={**ATTRIBUTES, "Policy": '{"Statement":[]}'}))

    assert f"{sender} may not send: nothing allows it" == found.found


@pytest.mark.parametrize(
    ("told", "principal", "source"),
    [
        (BY_TOPIC, "sns.amazonaws.com", TOPIC),
        (BY_EVENTS, "events.amazonaws.com", None),
    ],
)
def test_a_policy_for_a_topic_or_for_rules_is_understood(
    told: Mapping[str, Any], principal: str, source: str | None
) -> None:
    """With the topic's own account."""
    condition = {"Condition": {"ArnEquals": {"aws:SourceArn": source}}} if source else {"Condition": {}}
    policy = [{**STATEMENT, "Principal": {"Service": principal}, **condition}]

    (found,) = check_policy(_with_policy(policy, account=FakeAccount(told=told)))

    assert Level.OK == found.level


def test_without_a_bucket_nothing_is_asked() -> None:
    """The queue may be filled by anybody."""
    assert [] == list(check_policy(a_subject(bucket=None, account=FakeAccount(told=AssertionError("asked")))))


def test_a_bucket_whose_objects_are_told_elsewhere_needs_a_policy_for_a_rule() -> None:
    """S3 takes one target for an event, so this queue is to be told by EventBridge."""
    taken = {"QueueConfigurations": [{"QueueArn": f"{ARN}-2", "Events": ["s3:ObjectCreated:*"]}]}
    (policy,) = check_policy(told_otherwise(taken))

    assert policy.found.startswith("events.amazonaws.com for a rule may not send")


def test_two_senders_that_are_missing_are_both_in_the_second_command() -> None:
    """Each command sets the whole policy."""
    subject = told_otherwise({**BY_TOPIC, **BY_EVENTS}, attributes={**ATTRIBUTES, "Policy": '{"Statement":[]}'})

    policies = [json.loads(json.loads(shlex.split(each.fix)[-1])["Policy"]) for each in check_policy(subject)]

    assert [["sns.amazonaws.com"], ["sns.amazonaws.com", "events.amazonaws.com"]] == [
        [statement["Principal"]["Service"] for statement in policy["Statement"]] for policy in policies
    ]
