"""Where accounts differ, each service is asked as the role that was named for it, and for as long as the job runs."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest

from tests.builders import a_notification, an_object_ref
from tests.command import Command
from tests.integration.conftest import REGION
from tests.raw_server import RawServer, an_answer, an_error
from transforms import aws as transforms_aws
from transforms.buckets import open_bucket
from transforms.failures import ForbiddenError, QueueError, UnavailableError, WriteFailedError
from transforms.s3_objects import S3Objects
from transforms.sqs_queue import SqsQueue
from transforms.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ACCOUNT = "210987654321"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/reader"
SIGNED = re.compile(r"Credential=(\w+)/\d{8}/[\w-]+/(\w+)/aws4_request")
TIMEOUT_S = 30.0


class Recorder:
    """A relay before the stand-in that remembers what is asked."""

    def __init__(self, to: str) -> None:
        """Take connections until it is closed."""
        self.requests: list[str] = []
        self._serving: list[threading.Thread] = []
        self._target = urlsplit(to)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()

    def keys(self, service: str, path: str = "/") -> set[str]:
        """Answer with which access keys `service` was asked for what is below `path`, when everybody has hung up."""
        for thread in self._serving:
            thread.join(TIMEOUT_S)
        asked = (re.match(r"\w+ (\S+) HTTP", request) for request in self.requests)
        signed = (SIGNED.search(request) for request in self.requests)
        pairs = ((what, by) for what, by in zip(asked, signed, strict=True) if what and by)
        return {by[1] for what, by in pairs if by[2] == service and what[1].startswith(path)}

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                thread = threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True)
                thread.start()
                self._serving.append(thread)

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection((self._target.hostname, self._target.port)) as server:
            back = threading.Thread(target=_copy, args=(server, client, lambda _: None), daemon=True)
            back.start()
            _copy(client, server, self._record)
            back.join()

    def _record(self, said: bytes) -> None:
        for request in re.split(r"(?m)^(?=(?:GET|HEAD|PUT|POST|DELETE) /)", said.decode("latin-1")):
            self.requests.append(request)


def _copy(source: socket.socket, sink: socket.socket, record: Callable[[bytes], None]) -> None:
    said = b""
    with suppress(OSError):
        while chunk := source.recv(65536):
            said += chunk
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    record(said)


@pytest.fixture
def recorder(aws: str) -> Iterator[Recorder]:
    """Stand before the stand-in."""
    recorder = Recorder(aws)
    yield recorder
    recorder.close()


def _role_of(key: str, endpoint: str) -> str:
    """Ask STS whose access key this is; the stand-in looks at nothing else."""
    sts = boto3.client(
        "sts",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key="any",
        aws_session_token="any",
    )
    arn: str = sts.get_caller_identity()["Arn"]
    return arn


def test_each_service_is_asked_as_the_role_that_was_named_for_it(
    aws: str, bucket: str, recorder: Recorder, tmp_path: Path
) -> None:
    """The queue's, the objects', and the results' and dead letters'."""
    s3, sqs = (transforms_aws.client(service, REGION) for service in ("s3", "sqs"))
    results = f"results-{uuid.uuid4()}"
    s3.create_bucket(Bucket=results)
    s3.put_object(Bucket=bucket, Key="a.gz", Body=gzip.compress(b"one\n"))
    s3.put_object(Bucket=bucket, Key="//odd", Body=b"one\n")  # which goes through boto3
    s3.put_object(Bucket=bucket, Key="cut.gz", Body=gzip.compress(b"one\n")[:-4])
    queue_url = sqs.create_queue(QueueName=f"queue-{uuid.uuid4()}")["QueueUrl"]
    body = a_notification("a.gz", "//odd", "cut.gz", bucket=bucket, etag=None, size=None)
    sqs.send_message(QueueUrl=queue_url, MessageBody=body)
    roles = {
        name: f"arn:aws:iam::123456789012:role/{name}-{uuid.uuid4().hex[:8]}" for name in ("queue", "source", "output")
    }

    options = [f"--{name}_role_arn={arn}" for name, arn in roles.items()]
    options += [f"--queue_url={queue_url}", f"--output=s3://{results}/out", "--drain", "--idle_s=1"]
    with Command(*options, cwd=tmp_path, environment={"AWS_ENDPOINT_URL": recorder.url}) as job:
        assert job.wait(60) == 0, str(job)
        assert job.lines_with("1 received = 0 stored + 0 ignored + 1 set aside"), str(job)

    asked = {"queue": ("sqs", "/"), "source": ("s3", f"/{bucket}"), "output": ("s3", f"/{results}")}
    keys = {name: recorder.keys(*what) for name, what in asked.items()}
    seen = {name: [_role_of(key, aws) for key in each] for name, each in keys.items()}
    expected = {
        name: [f"{arn.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/sqs-pipeline"]
        for name, arn in roles.items()
    }
    assert expected == seen
    assert {"testing"} == recorder.keys("sts")


def _credentials(key: str, lasts: timedelta) -> bytes:
    """Answer as STS does."""
    ends = (datetime.now(UTC) + lasts).strftime("%Y-%m-%dT%H:%M:%SZ")
    xml = (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token-of-{key}"
        f"</SessionToken><Expiration>{ends}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )
    return an_answer(body=xml.encode(), etag=None, Content_Type="text/xml")


def _keys_seen(server: RawServer) -> list[str]:
    return [found[1] for request in server.requests if (found := SIGNED.search(request))]


def _answer_sts(environment: pytest.MonkeyPatch, server: RawServer) -> None:
    environment.setenv("AWS_ENDPOINT_URL_STS", server.url)


def _empty_answer() -> bytes:
    return an_answer(body=json.dumps({"Messages": []}).encode(), etag=None)


@pytest.mark.parametrize(("lasts", "expected"), [(timedelta(hours=1), ["key1", "key1"]), (timedelta(minutes=5), None)])
def test_credentials_of_a_role_renew_themselves_before_they_end(
    aws_environment: pytest.MonkeyPatch, lasts: timedelta, expected: list[str] | None
) -> None:
    """Ten minutes before, for a job that runs for months; and not at every call."""
    sts_answers = [_credentials(f"key{number}", lasts) for number in (1, 2, 3, 4)]
    with RawServer(sts_answers) as sts, RawServer([_empty_answer()]) as sqs:
        _answer_sts(aws_environment, sts)
        aws_environment.setenv("AWS_ENDPOINT_URL_SQS", sqs.url)
        queue = SqsQueue(f"{sqs.url}/1/q", REGION, ROLE)

        for _ in range(2):
            queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=30)

        seen = _keys_seen(sqs)
        if expected:
            assert expected == seen
            assert 1 == len(sts.requests)
        else:
            assert 2 == len(set(seen))
        assert f"RoleArn=arn%3Aaws%3Aiam%3A%3A{ACCOUNT}%3Arole%2Freader" in sts.requests[0]
        assert "RoleSessionName=sqs-pipeline" in sts.requests[0]
        assert f"x-amz-security-token: token-of-{seen[0]}" in sqs.requests[0].lower()


def _a_refusal() -> bytes:
    """Answer as STS does."""
    message = f"User: arn:aws:iam::123456789012:user/me is not authorized to perform: sts:AssumeRole on: {ROLE}"
    xml = f"<ErrorResponse><Error><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>"
    return an_answer("403 Forbidden", xml.encode(), etag=None)


@pytest.mark.parametrize("key", ["a", "//odd"])
def test_a_role_that_may_not_be_assumed_is_forbidden(aws_environment: pytest.MonkeyPatch, key: str) -> None:
    """Told with the answer of STS, by either client."""
    with RawServer([_a_refusal()]) as sts:
        _answer_sts(aws_environment, sts)

        with pytest.raises(ForbiddenError, match="AccessDenied"):
            S3Objects(REGION, ROLE).open(an_object_ref(key=key, region=REGION))


def test_a_role_that_may_not_be_assumed_for_the_queue_says_what_to_allow(aws_environment: pytest.MonkeyPatch) -> None:
    """Both sides must: that is what people forget."""
    with RawServer([_a_refusal()]) as sts:
        _answer_sts(aws_environment, sts)

        with pytest.raises(QueueError, match=r"AccessDenied from AssumeRole: .*; allow the job's own role") as refused:
            SqsQueue("http://127.0.0.1:1/1/q", REGION, ROLE).attributes()

    assert refused.value.permanent


def test_an_sts_that_does_not_answer_is_an_outage(aws_environment: pytest.MonkeyPatch) -> None:
    """It is waited for: nobody needs to change anything."""
    aws_environment.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")

    with pytest.raises(UnavailableError):
        S3Objects(REGION, ROLE).open(an_object_ref(key="a", region=REGION))
    with pytest.raises(WriteFailedError) as failed:
        open_store("s3://results", region=REGION, role_arn=ROLE).exists("a")
    with pytest.raises(QueueError) as silent:
        SqsQueue("http://127.0.0.1:1/1/q", REGION, ROLE).attributes()

    assert not failed.value.permanent
    assert not silent.value.permanent


def test_without_credentials_of_its_own_no_role_is_assumed(aws_environment: pytest.MonkeyPatch) -> None:
    """The sentence is the usual one."""
    aws_environment.delenv("AWS_ACCESS_KEY_ID")
    aws_environment.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(QueueError, match="there are no AWS credentials"):
        SqsQueue("http://127.0.0.1:1/1/q", REGION, ROLE).attributes()


@pytest.mark.parametrize("key", ["a", "//odd"])
def test_the_expected_bucket_owner_is_said_and_signed_with_each_get(
    key: str, serve_s3: Callable[[RawServer], None]
) -> None:
    """S3 refuses a header of its own that is not signed."""
    with RawServer([an_answer(body=b"x")]) as server:
        serve_s3(server)
        S3Objects(REGION, None, ACCOUNT).open(an_object_ref(key=key, region=REGION))

    (request,) = server.requests
    signed = re.search(r"SignedHeaders=([\w;-]+)", request)
    assert f"x-amz-expected-bucket-owner: {ACCOUNT}" in request.lower()
    assert signed
    assert "x-amz-expected-bucket-owner" in signed[1].split(";")


@pytest.mark.parametrize("key", ["a", "//odd"])
def test_a_bucket_of_another_owner_is_forbidden(key: str, serve_s3: Callable[[RawServer], None]) -> None:
    """As S3 answers it."""
    with RawServer([an_error("403 Forbidden", "AccessDenied", "Access Denied")]) as server:
        serve_s3(server)

        with pytest.raises(ForbiddenError):
            S3Objects(REGION, None, ACCOUNT).open(an_object_ref(key=key, region=REGION))


def test_nobody_is_expected_unless_it_was_said(aws: str) -> None:
    """Nor is it said for results."""
    assert "default_headers" not in (open_bucket("bucket", REGION).client_options or {})
