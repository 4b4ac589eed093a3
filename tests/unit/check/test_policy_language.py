"""Who may send, as far as a queue's policy tells: yes, no, or that it cannot be told from here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.check.policy_language import Sender, Verdict, may_send, statement_for, unsure_of_account, with_statement
from tests.check_subjects import ACCOUNT_ID, ARN, BUCKET, STATEMENT

S3 = Sender("s3.amazonaws.com", f"arn:aws:s3:::{BUCKET}", ACCOUNT_ID)
DENY_PLAIN = {
    "Sid": "TlsOnly",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": ARN,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


def _policy(*statements: object) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _with(**changes: Any) -> str:  # noqa: ANN401 - of many kinds
    return _policy({name: value for name, value in {**STATEMENT, **changes}.items() if value is not None})


def _on(operator: str, key: str, *values: object) -> str:
    return _with(Condition={operator: {key: values[0] if len(values) == 1 else list(values)}})


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(_policy(STATEMENT), id="as the readme makes it"),
        pytest.param(json.dumps({"Statement": STATEMENT}), id="one statement without a list"),
        pytest.param(_with(Principal="*"), id="anybody, by its conditions"),
        pytest.param(_with(Principal={"AWS": "*"}), id="as AWS's older examples have it"),
        pytest.param(_with(Principal={"Service": ["events.amazonaws.com", "s3.amazonaws.com"]}), id="several services"),
        pytest.param(_with(Action=["SQS:Send*"]), id="actions in any case, with a star"),
        pytest.param(_with(Action=None, NotAction="sqs:DeleteMessage"), id="all but another action"),
        pytest.param(_with(Resource=ARN.replace("new-objects", "*")), id="queues with a star"),
        pytest.param(_with(Condition=None), id="without conditions"),
        pytest.param(_on("ArnLike", "aws:SourceArn", f"arn:aws:s3:*:*:{BUCKET}"), id="AWS's own pattern"),
        pytest.param(_on("StringLike", "AWS:SourceArn", "arn:aws:s3:::acme-?ogs"), id="keys in any case"),
        pytest.param(
            _on("ArnEqualsIfExists", "aws:SourceArn", "arn:aws:s3:::x", f"arn:aws:s3:::{BUCKET}"), id="one of"
        ),
        pytest.param(_on("StringNotEquals", "aws:SourceAccount", "999999999999"), id="not another account"),
        pytest.param(_on("Bool", "aws:SecureTransport", True), id="a boolean that is none in quotes"),
        pytest.param(_on("StringEqualsIgnoreCase", "aws:PrincipalServiceName", "S3.amazonaws.com"), id="by name"),
        pytest.param(_policy(STATEMENT, DENY_PLAIN), id="beside a denial of plain HTTP"),
        pytest.param(_policy({**STATEMENT, "Principal": {"AWS": "1"}}, STATEMENT), id="the second statement"),
    ],
)
def test_a_policy_that_lets_the_bucket_send(policy: str) -> None:
    """In each of the ways that people write it."""
    assert may_send(policy, ARN, S3).allowed is True


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(None, id="none"),
        pytest.param(_policy(), id="empty"),
        pytest.param(_with(Principal={"AWS": f"arn:aws:iam::{ACCOUNT_ID}:root"}), id="only the account"),
        pytest.param(_with(Principal={"Service": "sns.amazonaws.com"}), id="another service"),
        pytest.param(_with(Action="sqs:ReceiveMessage"), id="another action"),
        pytest.param(_with(Resource=f"{ARN}-2"), id="another queue"),
        pytest.param(_with(Resource=None, NotResource=ARN), id="all but this queue"),
        pytest.param(_on("ArnEquals", "aws:SourceArn", "arn:aws:s3:::other"), id="another bucket"),
        pytest.param(_on("StringEquals", "aws:SourceArn", "arn:aws:s3:::acme-*"), id="a star where none counts"),
        pytest.param(_on("StringEquals", "aws:SourceAccount", "999999999999"), id="another account"),
        pytest.param(_on("ArnNotLike", "aws:SourceArn", "arn:aws:s3:::acme-*"), id="every other bucket"),
    ],
)
def test_a_policy_that_does_not(policy: str | None) -> None:
    """Nothing in it names why: nothing allows it."""
    assert Verdict(False) == may_send(policy, ARN, S3)


def test_a_denial_wins_and_is_named() -> None:
    """Whatever allows it beside."""
    denial = {**DENY_PLAIN, "Sid": "Frozen", "Condition": {}}

    assert Verdict(False, "its statement Frozen") == may_send(_policy(STATEMENT, denial), ARN, S3)


@pytest.mark.parametrize(
    ("policy", "because"),
    [
        (_on("StringEquals", "aws:SourceOrgID", "o-1"), "its statement with conditions on aws:SourceOrgID"),
        (_on("IpAddress", "aws:SourceArn", "1.2.3.4"), "its statement with conditions on aws:SourceArn"),
        (
            _with(Principal=None, NotPrincipal={"AWS": "1"}, Condition=None),
            "its statement without conditions",
        ),
        (
            _policy(STATEMENT, {**DENY_PLAIN, "Condition": {"StringNotEquals": {"aws:SourceVpc": "v"}}}),
            "its statement TlsOnly",
        ),
    ],
)
def test_what_asks_for_more_than_is_known_here_cannot_be_told(policy: str, because: str) -> None:
    """Neither yes nor no: it says which statement decides."""
    assert Verdict(None, because) == may_send(policy, ARN, S3)


def test_a_denial_that_cannot_be_told_matters_only_if_something_allows_it() -> None:
    """It is denied either way."""
    denial = {**DENY_PLAIN, "Condition": {"StringNotEquals": {"aws:SourceVpc": "v"}}}

    assert Verdict(False) == may_send(_policy(denial), ARN, S3)


def test_an_account_that_is_not_known_is_no_refusal() -> None:
    """The bucket may be of the account that the policy names."""
    policy = _on("StringEquals", "aws:SourceAccount", "999999999999")

    assert may_send(policy, ARN, unsure_of_account(S3)).allowed is None


@pytest.mark.parametrize("policy", ["?", "[]", '"text"', '{"Statement": "text"}', '{"Statement": ["text"]}'])
def test_what_is_no_policy_is_a_value_error(policy: str) -> None:
    """Stand-ins keep whatever they are given."""
    with pytest.raises(ValueError, match=r"."):
        may_send(policy, ARN, S3)


@pytest.mark.parametrize("sender", [S3, Sender("events.amazonaws.com"), Sender("sns.amazonaws.com", "arn:t", None)])
def test_the_statement_that_is_proposed_lets_the_sender_send_and_keeps_the_others(sender: Sender) -> None:
    """What mends must not break."""
    proposed = with_statement(_policy(DENY_PLAIN), statement_for(ARN, sender))

    assert [DENY_PLAIN, statement_for(ARN, sender)] == proposed["Statement"]
    assert may_send(json.dumps(proposed), ARN, sender).allowed is True
    assert may_send(json.dumps(with_statement(None, statement_for(ARN, sender))), ARN, sender).allowed is True
