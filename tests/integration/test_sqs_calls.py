"""The quick calls: what goes over the wire is what boto3 would send, and a refusal is left to boto3."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError

from tests.certificates import a_tls_server
from tests.integration.conftest import REGION, forget_clients
from tests.raw_server import RawServer, an_answer
from transforms import aws, sqs_calls
from transforms.failures import QueueError
from transforms.queues import Receipt
from transforms.sqs_queue import SqsQueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARGUMENTS = {"QueueUrl": "http://127.0.0.1/1/q", "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}
MESSAGE = {"MessageId": "m", "ReceiptHandle": "r", "Body": "{}"}
MEANT_TO_DIFFER = {"amz-sdk-invocation-id", "amz-sdk-request", "accept-encoding", "x-amzn-query-mode", "user-agent"}
"""What boto3 says of its own retries, and asks for in errors."""


def an_object(value: object, status: str = "200 OK") -> bytes:
    """Answer as SQS does."""
    return an_answer(status, json.dumps(value).encode(), etag=None)


@pytest.fixture
def server(aws_environment: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """Stand in for SQS; each test says what it answers."""
    with RawServer([an_object({"Messages": [MESSAGE]})]) as server:
        aws_environment.setenv("AWS_ENDPOINT_URL_SQS", server.url)
        yield server


def headers_of(request: str) -> dict[str, str]:
    """Read a request's headers, without what changes each time."""
    lines = (line.partition(":") for line in request.partition("\r\n\r\n")[0].split("\r\n")[1:])
    headers = {name.lower(): value.strip() for name, _, value in lines}
    signed = re.sub("SignedHeaders=[^,]*, Signature=.*", "", headers.pop("authorization"))
    return {n: v for n, v in headers.items() if n not in MEANT_TO_DIFFER | {"x-amz-date"}} | {"signed": signed}


def test_a_request_is_the_one_that_boto3_sends(server: RawServer) -> None:
    """To the same address, with the same target, type, length, credentials and region."""
    answer = sqs_calls.call("receive_message", REGION, ARGUMENTS)
    by_boto3: dict[str, Any] = aws.client("sqs", REGION).receive_message(**ARGUMENTS)

    ours, theirs = server.requests
    assert {"Messages": [MESSAGE]} == answer
    assert by_boto3["Messages"] == answer["Messages"]
    assert ours.split("\r\n")[0] == theirs.split("\r\n")[0]
    assert headers_of(theirs) == headers_of(ours)
    assert theirs.partition("\r\n\r\n")[2] == ours.partition("\r\n\r\n")[2]


def test_a_signature_covers_who_is_asked_what_and_when(server: RawServer) -> None:
    """The real server checks it; here it is checked that nothing that matters is left out."""
    sqs_calls.call("receive_message", REGION, ARGUMENTS)

    signed = re.search("SignedHeaders=([^,]*)", server.requests[0])
    assert signed is not None
    assert {"host", "x-amz-date", "x-amz-target"} <= set(signed[1].split(";"))


def test_temporary_credentials_send_their_token(server: RawServer, aws_environment: pytest.MonkeyPatch) -> None:
    """As those of every role are."""
    aws_environment.setenv("AWS_SESSION_TOKEN", "a-token")
    sqs_calls.call("receive_message", REGION, ARGUMENTS)

    assert "x-amz-security-token: a-token" in server.requests[0].lower()


@pytest.mark.parametrize(
    "answer",
    [
        an_object({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no"}, "400 Bad Request"),
        an_object({"__type": "com.amazonaws.sqs#AccessDenied", "message": "no"}, "403 Forbidden"),
    ],
)
def test_a_refusal_is_left_to_boto3(aws_environment: pytest.MonkeyPatch, answer: bytes) -> None:
    """SQS did nothing, so asking again is harmless."""
    with RawServer([answer]) as server:
        aws_environment.setenv("AWS_ENDPOINT_URL_SQS", server.url)

        assert sqs_calls.call("receive_message", REGION, ARGUMENTS) is None


def test_what_is_behind_a_proxy_is_left_to_boto3(environment: pytest.MonkeyPatch) -> None:
    """It knows proxies."""
    with RawServer([an_object({"Messages": [MESSAGE]})]) as proxy:
        environment.setenv("AWS_ENDPOINT_URL_SQS", "http://sqs.example.invalid")
        environment.setenv("http_proxy", proxy.url)

        assert sqs_calls.call("receive_message", REGION, ARGUMENTS) is None
        received = SqsQueue("http://sqs.example.invalid/1/q", REGION).receive(
            max_messages=1, wait_s=0, visibility_timeout_s=30
        )

    assert ["m"] == [message.message_id for message in received]
    assert ["POST http://sqs.example.invalid/ HTTP/1.1"] == [asked.split("\r\n")[0] for asked in proxy.requests]


def test_a_forked_process_has_connections_of_its_own(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """On its parent's, each would read the other's answers."""
    client = aws.client("sqs", REGION)
    ours = sqs_calls._connections(client, os.getpid())
    assert ours is sqs_calls._connections(client, os.getpid())

    monkeypatch.setattr(os, "getpid", lambda: 1)

    assert ours is not sqs_calls._connections(client, os.getpid())


def test_an_endpoint_with_a_path_is_left_to_boto3(aws_environment: pytest.MonkeyPatch) -> None:
    """It is signed in a way of its own, and rare."""
    with RawServer([an_object({})]) as server:
        aws_environment.setenv("AWS_ENDPOINT_URL_SQS", f"{server.url}/stand-in/")

        assert sqs_calls.call("receive_message", REGION, ARGUMENTS) is None

    assert [] == server.requests


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_certificates_of_one_s_own_are_trusted(environment: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """As boto3 trusts them; without them the queue is in trouble, and the reason is in the line."""
    tls, bundle = a_tls_server(tmp_path)
    with RawServer([an_object({"Messages": [MESSAGE]})], tls=tls) as server:
        environment.setenv("AWS_ENDPOINT_URL_SQS", server.url)
        with pytest.raises(QueueError, match="certificate"):
            SqsQueue(f"{server.url}/1/q", REGION).receive(max_messages=1, wait_s=0, visibility_timeout_s=30)

        environment.setenv(name, str(bundle))
        forget_clients()
        assert {"Messages": [MESSAGE]} == sqs_calls.call("receive_message", REGION, ARGUMENTS)


@pytest.mark.parametrize(
    "answer",
    [
        an_object({}, "503 Service Unavailable"),
        an_answer(body=b"<html>a proxy says hello</html>", etag=None),
        an_object(["not", "an", "object"]),
        b"HTTP/1.1 200 O",
        an_answer("302 Found", location="http://elsewhere.invalid/", etag=None),
    ],
)
def test_an_answer_that_makes_no_sense_is_not_asked_for_again(
    aws_environment: pytest.MonkeyPatch, answer: bytes
) -> None:
    """A server in trouble, a proxy's page: SQS may have hidden messages, and a drain must wait for them."""
    with RawServer([answer, an_object({})]) as server:
        aws_environment.setenv("AWS_ENDPOINT_URL_SQS", server.url)

        with pytest.raises(QueueError, match=r"the answer to receive_message makes no sense: status \d+"):
            SqsQueue(f"{server.url}/1/q", REGION).receive(max_messages=1, wait_s=0, visibility_timeout_s=30)

    assert 1 == len(server.requests)


def test_a_refusal_is_explained_by_boto3(aws_environment: pytest.MonkeyPatch) -> None:
    """Its code and whether asking again can help are read where all others are."""
    refusal = an_object(
        {"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no such queue"}, "400 Bad Request"
    )
    with RawServer([refusal]) as server:
        aws_environment.setenv("AWS_ENDPOINT_URL_SQS", server.url)

        with pytest.raises(QueueError) as caught:
            SqsQueue(f"{server.url}/1/q", REGION).receive(max_messages=1, wait_s=0, visibility_timeout_s=30)

    assert ("QueueDoesNotExist", True) == (caught.value.code, caught.value.permanent)


def test_a_lost_answer_is_not_asked_for_again(aws_environment: pytest.MonkeyPatch) -> None:
    """SQS may have hidden messages: that must be known, and a second receive would hide more."""
    with RawServer([b""]) as server:
        aws_environment.setenv("AWS_ENDPOINT_URL_SQS", server.url)
        queue = SqsQueue(f"{server.url}/1/q", REGION)

        with pytest.raises(QueueError):
            queue.receive(max_messages=1, wait_s=0, visibility_timeout_s=30)
        assert 1 == len(server.requests)
        with pytest.raises(BotoCoreError):
            sqs_calls.call("delete_message_batch", REGION, {"QueueUrl": queue.url, "Entries": []})


def test_without_credentials_nothing_is_sent(server: RawServer, aws_environment: pytest.MonkeyPatch) -> None:
    """And the user is told what to set."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        aws_environment.delenv(name, raising=False)
    aws_environment.setenv("AWS_CONFIG_FILE", os.devnull)
    aws_environment.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    aws_environment.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(QueueError, match="there are no AWS credentials"):
        SqsQueue(f"{server.url}/1/q", REGION).delete([Receipt("m", "r")])
    assert [] == server.requests
