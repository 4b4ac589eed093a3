"""The readme's AWS set-up, run as it stands: bash, the AWS CLI, and moto's server in the place of AWS.

Needs `aws`, which is among the developers' dependencies. Not a fake, since what is tested is what a reader types.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from pipeline.check import output as check_output
from tests.builders import a_delivery, a_notification, an_object_ref
from tests.command import finished
from tests.markdown import Page, blocks
from tests.shell import run, run_program
from transforms.dead_letters import dead_letter_document
from transforms.envelopes import open_body
from transforms.failures import CorruptGzipError, FinishedKind
from transforms.records import Failure, ObjectRef

if TYPE_CHECKING:
    import subprocess

ROOT = Path(__file__).resolve().parents[2]
README = Page(ROOT / "README.md")
FAILURES = Page(ROOT / "docs" / "failures.md")
TELL_ITS_VARIABLES = """
for name in AWS_REGION BUCKET QUEUE ACCOUNT SQS_QUEUE_URL RESULTS; do echo "$name=${!name}"; done > variables
"""


@dataclass(frozen=True, slots=True)
class SetUp:
    """What the commands of the readme left: files in a directory, and what their variables held."""

    directory: Path
    variables: dict[str, str]

    @property
    def queue_arn(self) -> str:
        """By the rules of AWS."""
        return f"arn:aws:sqs:{self.variables['AWS_REGION']}:{self.variables['ACCOUNT']}:{self.variables['QUEUE']}"

    def document(self, name: str) -> dict[str, Any]:
        """Read one of the JSON files."""
        document: dict[str, Any] = json.loads((self.directory / name).read_text(encoding="utf-8"))
        return document


@pytest.fixture(scope="module")
def set_up(aws: str, tmp_path_factory: pytest.TempPathFactory) -> SetUp:
    """Run every command of the section, in the reader's one shell."""
    directory = tmp_path_factory.mktemp("setup")
    commands = blocks(README.section("AWS set-up"), "bash")

    run("".join([*commands, TELL_ITS_VARIABLES]), directory, aws)

    lines = (directory / "variables").read_text(encoding="utf-8").splitlines()
    return SetUp(directory, dict(line.split("=", 1) for line in lines))


def _client(service: str, endpoint: str, region: str) -> Any:  # noqa: ANN401 - boto3 ships no types
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def _attributes(set_up: SetUp, endpoint: str) -> dict[str, str]:
    sqs = _client("sqs", endpoint, set_up.variables["AWS_REGION"])
    answer = sqs.get_queue_attributes(QueueUrl=set_up.variables["SQS_QUEUE_URL"], AttributeNames=["All"])
    attributes: dict[str, str] = answer["Attributes"]
    return attributes


def _receive(endpoint: str, region: str, queue_url: str) -> str:
    sqs = _client("sqs", endpoint, region)
    (message,) = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=5)["Messages"]
    sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    body: str = message["Body"]
    return body


def _actions(policy: dict[str, Any]) -> list[str]:
    """Every action that a policy allows, in order."""
    each = [statement["Action"] for statement in policy["Statement"]]
    return sorted(action for actions in each for action in ([actions] if isinstance(actions, str) else actions))


def _sqs_actions_of_the_job() -> set[str]:
    """What the code asks of SQS, in the words of IAM: a batch needs the permission of its single call."""
    source = (ROOT / "transforms" / "sqs_queue.py").read_text(encoding="utf-8")
    methods = _client("sqs", "http://localhost", "us-east-1").meta.method_to_api_mapping
    called = {api for method, api in methods.items() if f'"{method}"' in source}
    return {f"sqs:{api.removesuffix('Batch')}" for api in called}


def _read(body: str) -> ObjectRef | FinishedKind:
    """Read a message of one record as the job does."""
    contents = open_body(body)
    (record,) = contents.records
    return contents.read(record, a_delivery(), 0)


def test_a_new_object_is_notified_to_the_queue(set_up: SetUp, aws: str) -> None:
    """The whole point of the set-up; S3's test event comes first."""
    variables = set_up.variables
    region, queue_url = variables["AWS_REGION"], variables["SQS_QUEUE_URL"]
    s3 = _client("s3", aws, region)

    s3.put_object(Bucket=variables["BUCKET"], Key="logs/a b.gz", Body=gzip.compress(b"one\n"))
    first, second = (_read(_receive(aws, region, queue_url)) for _ in range(2))

    assert FinishedKind.TEST_EVENT == first
    assert isinstance(second, ObjectRef)
    assert (variables["BUCKET"], "logs/a b.gz") == (second.bucket, second.key)


def test_the_queue_policy_lets_this_bucket_send_and_nobody_else(set_up: SetUp, aws: str) -> None:
    """The attribute is a string that holds JSON."""
    policy = json.loads(_attributes(set_up, aws)["Policy"])

    (statement,) = policy["Statement"]
    assert ("Allow", "sqs:SendMessage", set_up.queue_arn) == tuple(
        statement[name] for name in ("Effect", "Action", "Resource")
    )
    assert {"Service": "s3.amazonaws.com"} == statement["Principal"]
    assert {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{set_up.variables['BUCKET']}"},
        "StringEquals": {"aws:SourceAccount": set_up.variables["ACCOUNT"]},
    } == statement["Condition"]


def test_the_job_gives_up_before_sqs_does(set_up: SetUp, aws: str) -> None:
    """More than twice `--give_up_after`, so that a message which kills workers is set aside with a reason."""
    attributes = _attributes(set_up, aws)
    redrive = json.loads(attributes["RedrivePolicy"])

    assert f"{set_up.queue_arn}-dead-letters" == redrive["deadLetterTargetArn"]
    assert int(redrive["maxReceiveCount"]) > 2 * 5
    assert set_up.queue_arn == attributes["QueueArn"]


def test_the_least_policy_allows_exactly_what_the_job_does(set_up: SetUp) -> None:
    """SQS's actions are read out of the code; S3's are those of a GET, a GET by version, and a plain 404.

    Sending is what `redrive` does, not the job.
    """
    policy = set_up.document("job-policy.json")

    expected = (_sqs_actions_of_the_job() - {"sqs:SendMessage"}) | {
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
    }
    assert sorted(expected) == _actions(policy)
    bucket_arn = f"arn:aws:s3:::{set_up.variables['BUCKET']}"
    resources = [statement["Resource"] for statement in policy["Statement"]]
    assert [set_up.queue_arn, f"{bucket_arn}/*", bucket_arn] == resources


def test_the_policy_for_results_allows_exactly_what_a_store_does(set_up: SetUp) -> None:
    """Put, or take back the parts of what could not be put; ask whether it is there, and be told that it is not.

    The command that `check` names allows the same.
    """
    policy = set_up.document("results-policy.json")

    assert sorted(check_output.NEEDED) == _actions(policy)
    bucket_arn = f"arn:aws:s3:::{set_up.variables['RESULTS']}"
    assert [f"{bucket_arn}/*", bucket_arn] == [statement["Resource"] for statement in policy["Statement"]]


def test_a_dead_letter_is_put_back_by_the_commands_of_docs_failures(aws: str, tmp_path: Path) -> None:
    """The original body, to the byte, to the queue it came from."""
    queue_url = _client("sqs", aws, "us-east-1").create_queue(QueueName="put-back")["QueueUrl"]
    body = a_notification("a b.gz", "ä.gz")
    delivery = a_delivery(queue_url=queue_url, body=body, records=2)
    failure = Failure.of(an_object_ref(delivery=delivery), CorruptGzipError("no"))
    letter = tmp_path / "output" / "_dead_letters" / "message-1-0.json"
    letter.parent.mkdir(parents=True)
    letter.write_bytes(dead_letter_document(failure, failed_at=datetime(2026, 1, 2, tzinfo=UTC)))
    (commands,) = blocks(FAILURES.section("Putting a dead letter back"), "bash")

    run(commands, tmp_path, aws)

    assert body == _receive(aws, "us-east-1", queue_url)
    assert not letter.exists()


def _without_what_changes(line: str, output: Path) -> str:
    """Take out times, ports, ids, sizes of what zlib made, and where the results went."""
    line = line.replace(str(output), "output/local").strip()
    line = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[a-z2-7]{24}(?=\.json)", "…", line)
    return re.sub(r" +", " ", re.sub(r"[\d.,:TZ-]*\d[\d.,:TZ-]*", "0", line))


def test_run_local_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """Every line of it; `…` stands for lines that the readme leaves out."""
    (shown,) = (b for b in blocks(README.section("Run it in a minute"), "console") if "./run_local.sh" in b)
    done = run_program([sys.executable, ROOT / "examples" / "quickstart.py", "--output", tmp_path], cwd=ROOT)
    printed = [_without_what_changes(line, tmp_path) for line in done.stdout.splitlines()]

    assert 0 == done.returncode, done.stdout
    for line in shown.splitlines()[1:]:
        if line.strip() not in {"", "…"}:
            assert _without_what_changes(line, tmp_path) in printed, done.stdout


CALLER = "arn:aws:sts::123456789012:assumed-role/acme-logs-job/i-0123456789abcdef0"


def _check(set_up: SetUp, endpoint: str, bucket: str, queue: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `check` beside the reader's files, on a queue of the reader's region."""
    region, url = set_up.variables["AWS_REGION"], set_up.variables["SQS_QUEUE_URL"].rpartition("/")[0]
    where = {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    environment = {**where, "SQS_QUEUE_URL": f"{url}/{queue}"}
    return finished("check", f"--bucket={bucket}", *options, cwd=set_up.directory, environment=environment)


def test_check_prints_what_the_readme_shows(set_up: SetUp, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line of it, over a queue that nobody has set up; over that of the readme all is ok."""
    (shown,) = (b for b in blocks(README.section("Check before the first message"), "console") if " check " in b)
    (function,) = (b for b in blocks(README.text, "python") if b.startswith("# my_logs.py\n"))
    (set_up.directory / "my_logs.py").write_text(function, encoding="utf-8")
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    (log,) = (log for log in import_module("sample_logs").samples() if "web_0905Z" in log.key)
    region = set_up.variables["AWS_REGION"]
    s3, bucket = _client("s3", aws, region), set_up.variables["BUCKET"]
    s3.create_bucket(Bucket="in-haste", CreateBucketConfiguration={"LocationConstraint": region})
    _client("sqs", aws, region).create_queue(QueueName="in-haste")
    for name in (bucket, "in-haste"):
        s3.put_object(Bucket=name, Key=log.key, Body=log.body)

    haste = _check(set_up, aws, "in-haste", "in-haste", "--processor=my_logs:error")
    good = _check(set_up, aws, bucket, set_up.variables["QUEUE"], "--processor=my_logs:errors")

    printed = haste.stdout.replace(aws, f"https://sqs.{region}.amazonaws.com").splitlines()
    printed = [re.sub(r"arn:aws:sts::\d+:\S+", CALLER, line) for line in printed]
    assert 2 == haste.returncode, haste.stderr
    assert shown.splitlines()[1:] == printed
    assert (0, "16 ok, 0 warnings, 0 problems") == (good.returncode, good.stdout.splitlines()[-1]), good.stdout
