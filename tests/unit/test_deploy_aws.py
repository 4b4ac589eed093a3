"""deploy/aws/template.yaml: lint, and what it comes to with parameters. tests/integration/test_deploy.py makes it."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import cfnlint
import pytest

from pipeline.check import output as check_output
from pipeline.option_table import BY_NAME
from tests.cloudformation import Template
from tests.deployments import DEPLOY

TEMPLATE = DEPLOY / "aws" / "template.yaml"
NAMES = {"SourceBucket": "acme-logs", "ResultsBucket": "acme-results"}
FOURTEEN_DAYS_S = 14 * 24 * 3600
ISSUER = "oidc.eks.eu-central-1.amazonaws.com/id/0123"

each_place = pytest.mark.parametrize("runs_on", ["ecs", "eks", "ec2"])


def a_template(**values: str) -> Template:
    """The template with two buckets, and what else a test says."""
    return Template(TEMPLATE, {**NAMES, **values})


def _statements(template: Template, resource: str) -> dict[str, dict[str, Any]]:
    """Answer the statements of a policy, by their names."""
    return {each["Sid"]: each for each in template.properties(resource)["PolicyDocument"]["Statement"]}


def _actions(statements: dict[str, dict[str, Any]], service: str) -> set[str]:
    each = [statement["Action"] for statement in statements.values()]
    names = {action for actions in each for action in ([actions] if isinstance(actions, str) else actions)}
    return {name for name in names if name.startswith(f"{service}:")}


def _sqs_actions_of_the_job() -> set[str]:
    """What the code asks of SQS, in the words of IAM: a batch needs the permission of its single call."""
    source = (DEPLOY.parent / "transforms" / "sqs_queue.py").read_text(encoding="utf-8")
    client = boto3.client("sqs", region_name="us-east-1", aws_access_key_id="no", aws_secret_access_key="no")
    called = {api for method, api in client.meta.method_to_api_mapping.items() if f'"{method}"' in source}
    return {f"sqs:{api.removesuffix('Batch')}" for api in called}


def test_cfn_lint_finds_nothing() -> None:
    """Errors, warnings or remarks; circular dependencies are among them."""
    assert [] == [str(found) for found in cfnlint.lint_file(TEMPLATE, {"include_checks": ["I"]})]  # type: ignore[typeddict-item]


def test_the_queue_keeps_messages_for_14_days_and_so_does_its_dead_letter_queue() -> None:
    """The most that SQS does; a message keeps its age when it moves."""
    template = a_template()
    queue, dead = (template.properties(name) for name in ("Queue", "DeadLetterQueue"))

    assert [FOURTEEN_DAYS_S] * 2 == [queue["MessageRetentionPeriod"], dead["MessageRetentionPeriod"]]


def test_the_job_gives_up_before_sqs_does() -> None:
    """What kills workers is set aside at the first receive above twice `--give_up_after`."""
    redrive = a_template().properties("Queue")["RedrivePolicy"]
    last_word_of_the_job = 2 * BY_NAME["give_up_after"].default + 1

    assert "DeadLetterQueue.Arn" == redrive["deadLetterTargetArn"]
    assert redrive["maxReceiveCount"] > last_word_of_the_job


def test_the_queue_hides_messages_as_long_as_the_job_does() -> None:
    """So the queue's own page tells what really happens."""
    assert BY_NAME["visibility_timeout_s"].default == a_template().properties("Queue")["VisibilityTimeout"]


def test_only_s3_may_send_and_only_for_this_bucket_of_this_account() -> None:
    """The bucket by its name, since a reference would close the circle."""
    (statement,) = _statements(a_template(), "QueuePolicy").values()

    assert {"Service": "s3.amazonaws.com"} == statement["Principal"]
    assert ("sqs:SendMessage", "Queue.Arn") == (statement["Action"], statement["Resource"])
    assert {
        "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::acme-logs"},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    } == statement["Condition"]


def test_the_queue_policy_is_there_before_the_bucket_is_told_of_the_queue() -> None:
    """S3 tries the queue when the notification is made."""
    assert "QueuePolicy" == a_template().document["Resources"]["Source"]["DependsOn"]


def test_an_existing_bucket_is_left_as_it_is() -> None:
    """The stack makes everything else."""
    new, existing = (a_template(SourceBucketIs=each).resources() for each in ("new", "existing"))

    assert {"Source"} == set(new) - set(existing)
    assert set() == set(existing) - set(new)


def test_the_notification_is_of_new_objects_with_the_prefix_and_the_suffix_if_there_are_any() -> None:
    """And of nothing else."""
    every, some = {"KeyPrefix": "", "KeySuffix": ""}, {"KeyPrefix": "logs/", "KeySuffix": ".gz"}
    all_told, told, suffixed = (
        a_template(**each).properties("Source")["NotificationConfiguration"]["QueueConfigurations"][0]
        for each in (every, some, {"KeySuffix": ".gz"})
    )

    rules = [{"Name": "prefix", "Value": "logs/"}, {"Name": "suffix", "Value": ".gz"}]
    assert {"Event": "s3:ObjectCreated:*", "Queue": "Queue.Arn"} == all_told
    assert {**all_told, "Filter": {"S3Key": {"Rules": rules}}} == told
    assert {**all_told, "Filter": {"S3Key": {"Rules": rules[1:]}}} == suffixed


def test_buckets_outlive_the_stack() -> None:
    """Objects and results are not the stack's to delete."""
    resources = a_template().document["Resources"]

    assert ["Retain"] * 2 == [resources[name]["DeletionPolicy"] for name in ("Source", "Results")]


def test_the_job_may_do_what_it_does_and_no_more() -> None:
    """SQS's actions are read out of the code; S3's are those of a GET, a GET by version, a PUT, and a plain 404."""
    statements = _statements(a_template(KeyPrefix="logs/"), "JobPolicy")
    objects = {"s3:GetObject", "s3:GetObjectVersion", *check_output.NEEDED}

    assert _sqs_actions_of_the_job() - {"sqs:SendMessage"} == _actions(statements, "sqs")
    assert objects == _actions(statements, "s3")
    assert {
        "ReadTheQueue": "Queue.Arn",
        "ReadObjects": "arn:aws:s3:::acme-logs/logs/*",
        "WriteResults": "arn:aws:s3:::acme-results/results/*",
        "TellWhatIsMissing": ["arn:aws:s3:::acme-logs", "arn:aws:s3:::acme-results"],
    } == {name: each["Resource"] for name, each in statements.items()}


def test_operators_may_put_back_and_see_dead_letters_but_no_objects() -> None:
    """`dead_letters`, `redrive`, and SQS's own way to move messages back."""
    statements = _statements(a_template(), "OperatorPolicy")

    assert {
        "PutBack": "Queue.Arn",
        "MoveFromTheDeadLetterQueue": "DeadLetterQueue.Arn",
        "ListDeadLetters": "arn:aws:s3:::acme-results",
        "ReadDeadLettersAndRemoveWhatIsPutBack": "arn:aws:s3:::acme-results/results/_dead_letters/*",
    } == {name: each["Resource"] for name, each in statements.items()}
    assert {"s3:ListBucket", "s3:GetObject", "s3:DeleteObject"} == _actions(statements, "s3")
    assert ["sqs:SendMessage", "sqs:GetQueueAttributes"] == statements["PutBack"]["Action"]


@pytest.mark.parametrize(
    ("runs_on", "service"), [("ecs", "ecs-tasks.amazonaws.com"), ("ec2", "ec2.amazonaws.com")], ids=["ecs", "ec2"]
)
def test_the_service_that_runs_the_job_takes_its_role(runs_on: str, service: str) -> None:
    """And nobody else."""
    trust = a_template(RunsOn=runs_on).properties("JobRole")["AssumeRolePolicyDocument"]

    (statement,) = trust["Statement"]
    assert ("sts:AssumeRole", {"Service": service}) == (statement["Action"], statement["Principal"])


def test_on_eks_one_service_account_takes_the_role() -> None:
    """A string, which is JSON once the issuer is in its keys."""
    template = a_template(RunsOn="eks", OidcIssuer=ISSUER)
    (statement,) = json.loads(template.properties("JobRole")["AssumeRolePolicyDocument"])["Statement"]

    assert {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"} == statement["Principal"]
    assert {
        "StringEquals": {
            f"{ISSUER}:sub": "system:serviceaccount:sqs-pipeline:sqs-pipeline",
            f"{ISSUER}:aud": "sts.amazonaws.com",
        }
    } == statement["Condition"]


@each_place
def test_each_place_gets_what_it_needs_and_no_more(runs_on: str) -> None:
    """Outputs too: one that names a resource which is not made would fail the stack."""
    template = a_template(RunsOn=runs_on)
    made = set(template.resources())
    conditional = {"ecs": {"ExecutionRole", "LogGroup"}, "eks": {"BacklogPolicy"}, "ec2": {"InstanceProfile"}}

    assert conditional[runs_on] == made & {name for names in conditional.values() for name in names}


def test_operators_are_everybody_of_the_account_or_the_one_named() -> None:
    """The account's administrators still decide who of them may take the role."""
    named = "arn:aws:iam::123456789012:role/on-call"
    roles = [a_template(Operators=each).properties("OperatorRole") for each in ("", named)]

    principals = [role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"] for role in roles]
    assert ["arn:aws:iam::123456789012:root", named] == principals


def test_alarms_watch_the_age_of_the_backlog_and_both_kinds_of_dead_letters() -> None:
    """All of them tell the same topic, and silence is no alarm."""
    template = a_template(BacklogAgeS="1200")
    alarms = [template.properties(name) for name in template.resources() if name.endswith("Alarm")]

    assert [
        ("ApproximateAgeOfOldestMessage", [{"Name": "QueueName", "Value": "Queue.QueueName"}], "1200"),
        ("ApproximateNumberOfMessagesVisible", [{"Name": "QueueName", "Value": "DeadLetterQueue.QueueName"}], 0),
        ("NumberOfMessagesPublished", [{"Name": "TopicName", "Value": "SetAside.TopicName"}], 0),
    ] == [(alarm["MetricName"], alarm["Dimensions"], alarm["Threshold"]) for alarm in alarms]
    assert {"GreaterThanThreshold"} == {alarm["ComparisonOperator"] for alarm in alarms}
    assert {"notBreaching"} == {alarm["TreatMissingData"] for alarm in alarms}
    assert [["Alarms"]] * 3 == [alarm["AlarmActions"] for alarm in alarms]


def test_a_stored_dead_letter_is_told_and_a_result_is_not() -> None:
    """Nor is the empty object with which the job tries whether it may write."""
    (told,) = a_template(ResultsPrefix="a/b").properties("Results")["NotificationConfiguration"]["TopicConfigurations"]
    prefix, suffix = (rule["Value"] for rule in told["Filter"]["S3Key"]["Rules"])

    assert ("a/b/_dead_letters/", ".json", "SetAside") == (prefix, suffix, told["Topic"])


def test_an_alarm_goes_to_the_address_only_if_there_is_one() -> None:
    """An empty endpoint would be refused."""
    with_address, without = (a_template(AlarmEmail=each).properties("Alarms") for each in ("a@example.com", ""))

    assert {"Subscription": [{"Protocol": "email", "Endpoint": "a@example.com"}]} == with_address
    assert {} == without


def test_the_arithmetic_in_the_readme_is_that_of_the_defaults() -> None:
    """5th, 11th, 21st receive."""
    page = (DEPLOY / "aws" / "README.md").read_text(encoding="utf-8")
    give_up_after = BY_NAME["give_up_after"].default
    most = a_template().properties("Queue")["RedrivePolicy"]["maxReceiveCount"]

    said = re.findall(r"\b(\d+)(?:th|st)\b", page)
    assert [give_up_after, 2 * give_up_after + 1, most + 1] == [int(each) for each in said]
