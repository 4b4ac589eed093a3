"""What SQS says, in our words: which errors are final, which handles are old, which URLs are queues."""

from __future__ import annotations

import pickle
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import (
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.stub import Stubber

from transforms import aws
from transforms.failures import QueueError, UserError
from transforms.queues import Message, Receipt, Refusal
from transforms.sqs_queue import SqsQueue, check_queue_url

if TYPE_CHECKING:
    from collections.abc import Iterator

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/notifications"


@pytest.fixture(autouse=True)
def refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3 be asked, which explains refusals; the quick calls before it have tests of their own."""
    monkeypatch.setattr("transforms.sqs_calls.call", lambda *_: None)


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """A client that answers what a test says."""
    client = boto3.client(
        "sqs",
        "eu-west-1",
        endpoint_url="https://sqs.eu-west-1.amazonaws.com",  # whatever AWS_ENDPOINT_URL other tests have set
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    monkeypatch.setattr("transforms.aws.client", lambda service, region, **_: client)
    with Stubber(client) as stubber:
        yield stubber


def _receive() -> list[Message]:
    return SqsQueue(URL, "eu-west-1").receive(max_messages=10, wait_s=1, visibility_timeout_s=60)


def test_a_message_says_how_often_it_came_and_when_it_was_sent(sqs: Stubber) -> None:
    """Both are attributes that must be asked for."""
    attributes = {"ApproximateReceiveCount": "3", "SentTimestamp": "1767323045678"}
    message = {"MessageId": "m", "ReceiptHandle": "r", "Body": "{}", "Attributes": attributes}
    asked = {
        "QueueUrl": URL,
        "MaxNumberOfMessages": 10,
        "WaitTimeSeconds": 1,
        "VisibilityTimeout": 60,
        "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
    }
    sqs.add_response("receive_message", {"Messages": [message]}, asked)

    assert [Message("m", "r", "{}", 3, datetime(2026, 1, 2, 3, 4, 5, 678000, UTC))] == _receive()


def test_an_empty_receive_is_an_empty_list(sqs: Stubber) -> None:
    """SQS leaves the field out."""
    sqs.add_response("receive_message", {})

    assert [] == _receive()


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("ReceiptHandleIsInvalid", "The input receipt handle is invalid.", True),
        ("AWS.SimpleQueueService.MessageNotInflight", "", True),
        ("InvalidParameterValue", "Value r is invalid. Reason: The receipt handle has expired.", True),
        ("InvalidParameterValue", "Total VisibilityTimeout is beyond the limit", False),
        ("InternalError", "", False),
    ],
)
def test_a_refused_entry_says_whether_its_handle_is_old(
    sqs: Stubber,
    code: str,
    message: str,
    expected: bool,  # noqa: FBT001 - pytest passes it
) -> None:
    """An old handle is as good as done; anything else is tried again."""
    failed = {"Id": "1", "SenderFault": True, "Code": code, "Message": message}
    sqs.add_response("delete_message_batch", {"Successful": [{"Id": "0"}], "Failed": [failed]})

    refusals = SqsQueue(URL, "eu-west-1").delete([Receipt("a", "r-a"), Receipt("b", "r-b")])

    assert [Refusal("b", code.rpartition(".")[2], expired=expected)] == refusals


def test_an_entry_that_the_answer_does_not_mention_is_not_done(sqs: Stubber) -> None:
    """Or a message would count as deleted because a proxy answered something else."""
    sqs.add_response("delete_message_batch", {"Successful": [{"Id": "0"}], "Failed": []})

    refusals = SqsQueue(URL, "eu-west-1").delete([Receipt("a", "r-a"), Receipt("b", "r-b")])

    assert [Refusal("b", "NotMentioned", expired=False)] == refusals


def test_a_queue_pickles_even_after_its_first_call(sqs: Stubber) -> None:
    """A client does not."""
    sqs.add_response("get_queue_attributes", {"Attributes": {"VisibilityTimeout": "30"}})
    queue = SqsQueue(URL, "eu-west-1")
    queue.attributes()
    sqs.add_response("receive_message", {})

    copy = pickle.loads(pickle.dumps(queue))  # noqa: S301 - our own

    assert [] == copy.receive(max_messages=1, wait_s=0, visibility_timeout_s=60)


def test_visibility_is_changed_for_each_message_by_its_own_time(sqs: Stubber) -> None:
    """Entries are named by their place in the batch."""
    entries = [
        {"Id": "0", "ReceiptHandle": "r-a", "VisibilityTimeout": 5},
        {"Id": "1", "ReceiptHandle": "r-b", "VisibilityTimeout": 0},
    ]
    answer: dict[str, list[Any]] = {"Successful": [{"Id": "0"}, {"Id": "1"}], "Failed": []}
    sqs.add_response("change_message_visibility_batch", answer, {"QueueUrl": URL, "Entries": entries})

    assert [] == SqsQueue(URL, "eu-west-1").change_visibility([Receipt("a", "r-a"), Receipt("b", "r-b")], [5, 0])


@pytest.mark.parametrize(
    ("code", "permanent"),
    [
        ("AWS.SimpleQueueService.NonExistentQueue", True),
        ("com.amazonaws.sqs#QueueDoesNotExist", True),
        ("AccessDenied", True),
        ("KMS.AccessDeniedException", True),
        ("InvalidAddress", True),
        ("InvalidClientTokenId", True),
        ("UnrecognizedClientException", True),
        ("SignatureDoesNotMatch", True),
        ("InvalidSignatureException", True),
        ("ExpiredToken", False),
        ("ExpiredTokenException", False),
        ("RequestExpired", False),
        ("OverLimit", False),
        ("RequestThrottled", False),
        ("InternalError", False),
        ("ServiceUnavailable", False),
    ],
)
def test_only_what_asking_again_cannot_mend_is_permanent(
    sqs: Stubber,
    code: str,
    permanent: bool,  # noqa: FBT001 - pytest passes it
) -> None:
    """A role or a profile renews credentials that expired."""
    sqs.add_client_error("get_queue_attributes", service_error_code=code, service_message="No.")

    with pytest.raises(QueueError) as caught:
        SqsQueue(URL, "eu-west-1").attributes()

    short = code.removeprefix("com.amazonaws.sqs#").rpartition(".")[2]
    assert (short, permanent) == (caught.value.code, caught.value.permanent)


def _error(sqs: Stubber, code: str, message: str, *, url: str = URL) -> QueueError:
    sqs.add_client_error("get_queue_attributes", service_error_code=code, service_message=message)
    with pytest.raises(QueueError) as caught:
        SqsQueue(url, "eu-west-1").attributes()
    return caught.value


def test_an_error_says_in_one_line_what_sqs_said_and_what_to_do(sqs: Stubber) -> None:
    """It goes into a log line, or is the last one before the exit."""
    expected = (
        "NonExistentQueue from GetQueueAttributes: The specified queue does not exist.; "
        "check the name, the account and the region in the queue's URL"
    )

    error = _error(sqs, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue\ndoes not exist.")

    assert expected == error.detail


def test_a_queue_of_elsewhere_is_told_who_was_asked_instead(sqs: Stubber) -> None:
    """A stand-in's URL alone does not lead there: boto3 asks its endpoint."""
    error = _error(sqs, "InvalidAddress", "Not valid for this endpoint.", url="http://localhost:4566/000000000000/n")

    assert "(https://sqs.eu-west-1.amazonaws.com was asked, not the URL's host; AWS_ENDPOINT_URL" in error.detail


def test_a_wrong_clock_is_named_and_waited_for(sqs: Stubber) -> None:
    """The secret is right, and the clock will be."""
    error = _error(sqs, "SignatureDoesNotMatch", "Signature expired: 20260102T000000Z is now earlier than 20260102T01Z")

    assert ("SignatureDoesNotMatch: the clock of this machine is wrong", False) == (error.detail, error.permanent)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SignatureDoesNotMatch", "The Canonical String should have been\nx-amz-security-token:hunter2"),
        ("InvalidSignatureException", "The Canonical String should have been\nx-amz-security-token:hunter2"),
        ("IncompleteSignature", "not in Authorization header: 'AWS4-HMAC-SHA256 Credential=hunter2'"),
        ("InternalError", "could not reach http://user:hunter2@host/"),
    ],
)
def test_an_answer_that_repeats_credentials_is_not_repeated(sqs: Stubber, code: str, message: str) -> None:
    """Neither in the sentence nor in a traceback, should one be printed."""
    error = _error(sqs, code, message)

    assert "hunter2" not in error.detail
    assert code == "InternalError" or "hunter2" not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("error", "permanent"),
    [
        (NoCredentialsError(), True),
        (PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"), True),
        (CredentialRetrievalError(provider="custom-process", error_msg="hunter2"), False),
        (EndpointConnectionError(endpoint_url="http://user:hunter2@x"), False),
    ],
)
def test_no_credentials_are_final_and_no_connection_is_not(
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    permanent: bool,  # noqa: FBT001 - pytest passes it
) -> None:
    """The first needs the user, the second patience."""

    class _Client:
        def receive_message(self, **arguments: object) -> None:
            raise error

    monkeypatch.setattr("transforms.aws.client", lambda service, region, **_: _Client())

    with pytest.raises(QueueError) as caught:
        _receive()

    assert ("", permanent) == (caught.value.code, caught.value.permanent)
    assert "hunter2" not in caught.value.detail


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "http://localhost:5000/123456789012/name",
        "http://sqs.us-east-1.localhost.localstack.cloud:4566/000000000000/name",
        "http://[::1]:4566/queue/us-east-1/000000000000/name",
        "http://elastic_mq:9324/queue/name",
        "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/123456789012/name-1_a",
    ],
)
def test_the_url_of_a_queue_may_be_of_aws_or_of_a_stand_in(url: str) -> None:
    """Only its form is judged."""
    check_queue_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "notifications",
        "arn:aws:sqs:eu-west-1:123456789012:n",
        "https://h",
        "https://h/only-a-name",
        "http://[/a",
        "http://h:port/1/n",
        "https://user:hunter2@h/1/n",
        f"{URL}\n",
        f"{URL}/",
        f"{URL}?Action=ReceiveMessage",
        f"https://h/1/{'n' * 81}",
    ],
)
def test_what_is_no_url_of_a_queue_is_refused_with_an_example(url: str) -> None:
    """And with how to find the right one."""
    with pytest.raises(UserError, match="a queue's URL looks like") as caught:
        SqsQueue(url, "eu-west-1")

    assert "hunter2" not in str(caught.value)


def test_a_fifo_queue_is_refused() -> None:
    """S3 cannot notify one."""
    with pytest.raises(UserError, match="a FIFO queue; S3 notifies standard queues only"):
        check_queue_url(f"{URL}.fifo")


def test_a_receive_is_tried_once_and_everything_else_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A retry inside the client would hide that the first answer was lost, and with it the messages it brought."""
    asked: list[int] = []

    class _Client:
        def __getattr__(self, operation: str) -> Any:  # noqa: ANN401 - any operation
            return lambda **_: {"Successful": [{"Id": "0"}]}

    def client(service: str, region: str, *, role_arn: str | None = None, attempts: int) -> _Client:
        asked.append(attempts)
        return _Client()

    monkeypatch.setattr("transforms.aws.client", client)
    queue = SqsQueue(URL, "eu-west-1")
    assert queue.receive(max_messages=10, wait_s=1, visibility_timeout_s=60) == []
    assert queue.delete([Receipt("m", "r")]) == []
    assert asked == [1, aws.MAX_ATTEMPTS]
