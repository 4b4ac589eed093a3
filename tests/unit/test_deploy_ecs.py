"""deploy/ecs: against the model of ECS that the AWS CLI checks with, and against the job's own rules."""

from __future__ import annotations

import json
import re
import string
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from pipeline.memory import peak_bytes
from tests.deployments import DEPLOY, has_time_to_stop, the_settings
from transforms.settings import MIB

ECS = DEPLOY / "ecs"
FARGATE_LONGEST_STOP_S = 120
FILLED_IN = {
    "AWS_REGION": "eu-central-1",
    "CLUSTER": "acme",
    "EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/execution",
    "IMAGE": "registry.example.com/sqs-pipeline:0.1.0",
    "JOB_ROLE_ARN": "arn:aws:iam::123456789012:role/job",
    "LOG_GROUP": "log-group",
    "OUTPUT": "s3://acme-results/results",
    "SECURITY_GROUP": "sg-0123456789abcdef0",
    "SOURCE_BUCKET": "acme-logs",
    "SQS_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/123456789012/acme-logs-new-objects",
    "SUBNET": "subnet-0123456789abcdef0",
}


def _ecs(name: str) -> dict[str, Any]:
    """Read a document of ECS, filled in; raises `KeyError` for a name that the page does not set."""
    text = string.Template((ECS / f"{name}.json").read_text(encoding="utf-8")).substitute(FILLED_IN)
    document: dict[str, Any] = json.loads(text)
    return document


@pytest.fixture
def container() -> dict[str, Any]:
    """The task's only container."""
    (only,) = _ecs("task-definition")["containerDefinitions"]
    assert isinstance(only, dict)
    return only


def _environment(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["environment"]}


@pytest.mark.parametrize(
    ("name", "operation"),
    [("task-definition", "RegisterTaskDefinition"), ("service", "CreateService")],
    ids=["task-definition", "service"],
)
def test_ecs_knows_every_field_of_what_it_is_given(name: str, operation: str) -> None:
    """By the model of the service that the AWS CLI and boto3 check with."""
    client = boto3.client("ecs", region_name="us-east-1", aws_access_key_id="no", aws_secret_access_key="no")
    shape = client.meta.service_model.operation_model(operation).input_shape

    assert "" == ParamValidator().validate(_ecs(name), shape).generate_report()


def test_every_name_to_fill_in_is_set_by_the_page_of_ecs() -> None:
    """By its own commands; the queue's URL by those of deploy/aws, which it builds on."""
    documents = "".join(path.read_text(encoding="utf-8") for path in ECS.glob("*.json"))
    names = set(re.findall(r"\$\{(\w+)\}", documents))
    page = (ECS / "README.md").read_text(encoding="utf-8")

    assert set(FILLED_IN) == names
    assert {"SQS_QUEUE_URL"} == {name for name in names if not re.search(rf"^export .*\b{name}\b", page, re.MULTILINE)}


def test_the_settings_of_the_task_are_options_of_the_job(container: dict[str, Any]) -> None:
    """A misspelt one would be refused, at the start of the task."""
    settings = the_settings([], _environment(container))

    assert FILLED_IN["SQS_QUEUE_URL"] == settings.receive.queue_url
    assert FILLED_IN["OUTPUT"] == settings.write.output


def test_a_task_has_time_to_stop(container: dict[str, Any]) -> None:
    """And Fargate grants it."""
    settings = the_settings([], _environment(container))

    assert has_time_to_stop(container["stopTimeout"], settings)
    assert container["stopTimeout"] <= FARGATE_LONGEST_STOP_S


def test_a_task_has_the_memory_that_the_options_allow_at_worst(container: dict[str, Any]) -> None:
    """The supervisor needs little beside it."""
    settings = the_settings([], _environment(container))

    assert int(_ecs("task-definition")["memory"]) * MIB > peak_bytes(settings)


def test_a_task_may_write_only_where_its_temporary_files_go(container: dict[str, Any]) -> None:
    """Nor is it root."""
    assert container["readonlyRootFilesystem"] is True
    assert not container["user"].startswith(("0", "root"))
    assert [_environment(container)["TMPDIR"]] == [each["containerPath"] for each in container["mountPoints"]]


def test_ecs_asks_the_job_itself_whether_it_is_alive(container: dict[str, Any]) -> None:
    """The image's command asks the port that the environment names."""
    assert ["CMD", "entrypoint", "health"] == container["healthCheck"]["command"]
    assert the_settings([], _environment(container)).run.metrics_port
