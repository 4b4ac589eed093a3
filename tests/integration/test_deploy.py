"""deploy/aws and deploy/ecs as their pages say: bash, the AWS CLI, and moto's server in the place of AWS; then the job.

moto makes queues, buckets, roles, topics and log groups of a template. It leaves out policies of queues and topics,
alarms, and what a bucket tells of; the test puts those there itself, from the template and through the same APIs.
"""

from __future__ import annotations

import gzip
import json
import os
import shlex
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.cloudformation import Template
from tests.command import Command
from tests.deployments import DEPLOY
from tests.integration.conftest import REGION
from tests.markdown import Page, blocks
from tests.shell import run
from transforms import aws as transforms_aws

if TYPE_CHECKING:
    from pathlib import Path

AWS, ECS = (Page(DEPLOY / folder / "README.md") for folder in ("aws", "ecs"))
TELL_VARIABLES = (
    "\nenv -0 > variables\naws cloudformation describe-stack-resources --stack-name $STACK > resources.json\n"
)
FIND_OUTPUTS = (
    "aws cloudformation update-stack --stack-name $STACK --template-body file://deploy/aws/template.yaml >> updates\n"
)
"""moto finds the outputs of a stack when it is updated; those of one that `deploy` has made are empty until then."""
TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Stack:
    """What the page's first commands made, for buckets of this test's own."""

    names: dict[str, str]
    """The parameters of the stack."""
    commands: str
    """The page's commands up to the exported settings, to go on with in the same shell."""
    directory: Path

    @property
    def variables(self) -> dict[str, str]:
        """What the shell had exported in the end."""
        pairs = (self.directory / "variables").read_text(encoding="utf-8").split("\0")
        return dict(pair.split("=", 1) for pair in pairs if pair)

    def settings(self) -> dict[str, str]:
        """The job's part of them."""
        return {name: value for name, value in self.variables.items() if name.startswith("SQS_")}

    def template(self) -> Template:
        """The template as it is in this stack."""
        made = json.loads((self.directory / "resources.json").read_text(encoding="utf-8"))["StackResources"]
        known = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in made if "LogicalResourceId" in each}
        queue, topic = known["Queue"].rpartition("/")[2], known["SetAside"].rpartition(":")[2]
        known |= {"Queue.Arn": f"arn:aws:sqs:{REGION}:123456789012:{queue}", "SetAside.TopicName": topic}
        return Template(DEPLOY / "aws" / "template.yaml", self.names, known)


def a_stack(directory: Path, **parameters: str) -> Stack:
    """The page's commands with other names in them: bucket names are unique in the world, also in the stand-in's."""
    unique = uuid.uuid4().hex[:8]
    names = {"SourceBucket": f"source-{unique}", "ResultsBucket": f"results-{unique}", **parameters}
    (directory / "deploy").symlink_to(DEPLOY)
    make, tell = blocks(AWS.section("Make it"), "bash")
    make = make.replace("STACK=acme-logs", f"STACK=stack-{unique}").replace("=acme-logs", f"={names['SourceBucket']}")
    make = make.replace("=acme-results", f"={names['ResultsBucket']}")
    extra = " ".join(f"{name}={value}" for name, value in parameters.items())
    return Stack(names, f"{make.rstrip()} {extra}\n{FIND_OUTPUTS}{tell}", directory)


def _client(service: str) -> Any:  # noqa: ANN401 - boto3 ships no types
    return transforms_aws.client(service, REGION)


def _put_what_the_stand_in_leaves_out(template: Template) -> None:
    """The queue's policy, what buckets tell of, and alarms."""
    policy = template.properties("QueuePolicy")
    for queue_url in policy["Queues"]:
        attributes = {"Policy": json.dumps(policy["PolicyDocument"])}
        _client("sqs").set_queue_attributes(QueueUrl=queue_url, Attributes=attributes)
    for bucket in (template.properties(name) for name in ("Source", "Results")):
        told = {kind: list(map(_in_words_of_s3, each)) for kind, each in bucket["NotificationConfiguration"].items()}
        _client("s3").put_bucket_notification_configuration(Bucket=bucket["BucketName"], NotificationConfiguration=told)
    for name in template.resources():
        if name.endswith("Alarm"):
            _client("cloudwatch").put_metric_alarm(AlarmName=name, **template.properties(name))


def _in_words_of_s3(notification: dict[str, Any]) -> dict[str, Any]:
    """CloudFormation has words of its own for the same."""
    words = {"Queue": "QueueArn", "Topic": "TopicArn"}
    to = {words[name]: value for name, value in notification.items() if name in words}
    rules = notification["Filter"]["S3Key"]["Rules"]
    return {**to, "Events": [notification["Event"]], "Filter": {"Key": {"FilterRules": rules}}}


def _exported(settings: dict[str, str]) -> str:
    """Answer commands that set them."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())


def _documents(output: str) -> dict[str, dict[str, Any]]:
    """Read all results under an output in S3, by the key of their object."""
    bucket, _, prefix = output.removeprefix("s3://").partition("/")
    s3 = _client("s3")
    keys = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]]
    found = [json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in keys if key.endswith(".json")]
    return {each["source"]["key"]: each for each in found}


def test_the_job_runs_against_what_the_template_made(aws: str, tmp_path: Path) -> None:
    """`check` finds all ok; one object put, its result stored, the queue empty, told but the stack's outputs."""
    stack = a_stack(tmp_path, KeySuffix=".gz")
    run(stack.commands + TELL_VARIABLES, tmp_path, aws)
    _put_what_the_stand_in_leaves_out(stack.template())
    s3 = _client("s3")
    s3.put_object(Bucket=stack.names["SourceBucket"], Key="a.log.gz", Body=gzip.compress(b"one\ntwo\n"))
    run(_exported(stack.settings()) + f"python -m pipeline check --bucket={stack.names['SourceBucket']}", tmp_path, aws)
    s3.put_object(Bucket=stack.names["SourceBucket"], Key="not-notified.txt", Body=b"no")

    with Command("--drain", "--idle_s=1", "--wait_time_s=1", cwd=tmp_path, environment=stack.settings()) as job:
        assert 0 == job.wait(TIMEOUT_S), str(job)

    documents = _documents(stack.settings()["SQS_PIPELINE_OUTPUT"])
    assert {"a.log.gz": 2} == {key: each["line_count"] for key, each in documents.items()}
    assert "2 received = 1 stored + 1 ignored" in str(job)  # S3's test event is ignored
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    queue_url = stack.settings()["SQS_QUEUE_URL"]
    left = _client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)["Attributes"]
    assert {"0"} == set(left.values())


def test_a_bucket_that_is_there_already_keeps_its_other_notifications(aws: str, tmp_path: Path) -> None:
    """The page's commands add one; a second run of them changes nothing."""
    stack = a_stack(tmp_path, SourceBucketIs="existing")
    s3, sqs, bucket = _client("s3"), _client("sqs"), stack.names["SourceBucket"]
    s3.create_bucket(Bucket=bucket)
    other_url = sqs.create_queue(QueueName=f"other-{bucket}")["QueueUrl"]
    other = {
        "Id": "other",
        "QueueArn": f"arn:aws:sqs:{REGION}:123456789012:other-{bucket}",
        "Events": ["s3:ObjectRemoved:*"],
    }
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [other]})
    (add,) = blocks(AWS.section("A bucket that is there already"), "bash")

    run(stack.commands + add + add + TELL_VARIABLES, tmp_path, aws)
    s3.put_object(Bucket=bucket, Key="new", Body=b"")

    told = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert ["other", "sqs-pipeline"] == [each["Id"] for each in told]
    assert '"new"' in _bodies(stack.settings()["SQS_QUEUE_URL"])
    assert '"new"' not in _bodies(other_url)


def _bodies(queue_url: str) -> str:
    """Receive what waits, all bodies in one text."""
    answer = _client("sqs").receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    return "\n".join(message["Body"] for message in answer.get("Messages", []))


def test_the_service_on_ecs_is_made_by_the_commands_of_its_page(aws: str, tmp_path: Path) -> None:
    """ECS takes both documents, with the roles and the settings of the stack in them."""
    cluster = f"cluster-{uuid.uuid4().hex[:8]}"
    _client("ecs").create_cluster(clusterName=cluster)
    stack = a_stack(tmp_path)
    yours, make = blocks(ECS.section("Run it"), "bash")
    ec2 = _client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    for shown, real in (
        ("acme ", f"{cluster} "),
        ("subnet-0123456789abcdef0", subnet),
        ("sg-0123456789abcdef0", group),
    ):
        assert shown in yours
        yours = yours.replace(shown, real)
    stack = replace(stack, commands=stack.commands + yours + make)

    run(stack.commands + TELL_VARIABLES, tmp_path, aws)

    ecs, variables = _client("ecs"), stack.variables
    task = ecs.describe_task_definition(taskDefinition="sqs-pipeline")["taskDefinition"]
    (service,) = ecs.describe_services(cluster=cluster, services=["sqs-pipeline"])["services"]
    (container,) = task["containerDefinitions"]
    environment = {each["name"]: each["value"] for each in container["environment"]}
    assert service["taskDefinition"] == task["taskDefinitionArn"]
    assert [variables["JOB_ROLE_ARN"], variables["EXECUTION_ROLE_ARN"]] == [
        task["taskRoleArn"],
        task["executionRoleArn"],
    ]
    assert stack.settings() == {name: environment[name] for name in stack.settings()}
    assert variables["IMAGE"] == container["image"]
    assert "${" not in json.dumps([task, service], default=str)


@pytest.fixture(autouse=True)
def _no_settings_of_this_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stack tells is all that the job is told."""
    for name in [name for name in os.environ if name.startswith("SQS_")]:
        monkeypatch.delenv(name)
