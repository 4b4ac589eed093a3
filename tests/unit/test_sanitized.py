"""What others say of our requests and credentials, without what nobody should read."""

from __future__ import annotations

import pytest
from botocore.exceptions import CredentialRetrievalError, EndpointConnectionError, HTTPClientError
from obstore.exceptions import UnauthenticatedError

from transforms.s3_answers import Answer
from transforms.s3_errors import explain
from transforms.sanitized import told, without_secrets

SIGNED = (
    "x-amz-security-token: hunter2",
    "authorization: AWS4-HMAC-SHA256 Credential=hunter2/20260101/us-east-1/s3/aws4_request",
    "GET /a?X-Amz-Signature=hunter2 HTTP/1.1",
    "Signature=hunter2",
)


@pytest.mark.parametrize("message", SIGNED)
def test_a_message_that_repeats_what_was_signed_is_not_repeated(message: str) -> None:
    """In an answer of S3 either."""
    assert "hunter2" not in without_secrets(f"You sent {message}")
    assert "hunter2" not in str(Answer(403, "AccessDenied", message))


def test_a_token_or_signature_alone_is_left_out() -> None:
    """The sentence around it stays."""
    message = f"The token {'aB3/' * 80}== of {'0f' * 32} is malformed"

    assert "The token … of … is malformed" == without_secrets(message)


@pytest.mark.parametrize(
    "message",
    [
        "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
        "The request signature we calculated does not match the signature you provided.",
        'User: arn:aws:sts::123456789012:assumed-role/job/i-0 is not authorized to perform: "s3:GetObject"',
    ],
)
def test_what_helps_an_operator_stays(message: str) -> None:
    """Talking of a signature is not repeating it."""
    assert message == without_secrets(message)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (
            CredentialRetrievalError(provider="custom-process", error_msg="hunter2"),
            "credentials cannot be retrieved from custom-process",
        ),
        (
            HTTPClientError(error=ValueError("Invalid header value b'hunter2\\n'")),
            "the HTTP client failed with ValueError",
        ),
        (EndpointConnectionError(endpoint_url="http://x/"), 'Could not connect to the endpoint URL: "http://x/"'),
    ],
)
def test_an_error_of_boto3_is_told_but_not_what_may_be_a_credential(error: Exception, expected: str) -> None:
    """A program's output, or a header that could not be sent."""
    assert expected == told(error)


def test_what_a_source_of_credentials_printed_is_not_told_where_obstore_passes_it_on() -> None:
    """Only the class of what it raised."""
    error = UnauthenticatedError("for path External AWS credential provider: CredentialRetrievalError: hunter2")

    explained = explain(error, "s3://b/k")

    assert "s3://b/k: the source of the AWS credentials failed with CredentialRetrievalError" == explained.detail


def test_of_a_role_that_cannot_be_assumed_the_code_is_told() -> None:
    """And nothing else of what STS said."""
    error = UnauthenticatedError(
        "External AWS credential provider: ClientError: An error occurred (AccessDenied) when calling the AssumeRole "
        "operation: hunter2"
    )

    assert "the source of the AWS credentials failed with ClientError (AccessDenied from AssumeRole)" == told(error)
