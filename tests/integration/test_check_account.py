"""What `check` asks of AWS, from a stand-in and from servers that refuse, lie or are silent."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.check.account import NO_CREDENTIALS, AwsAccount, RefusedError
from pipeline.options import Settings
from tests.integration.conftest import REGION
from tests.raw_server import RawServer, an_answer
from transforms import aws as transforms_aws
from transforms.settings import FetchSettings, ReceiveSettings

if TYPE_CHECKING:
    from collections.abc import Callable

SETTINGS = Settings(ReceiveSettings("http://localhost/123456789012/q", region=REGION), fetch=FetchSettings(REGION))
ROLE = "arn:aws:iam::210987654321:role/reader"


def test_it_says_who_asks_and_as_whom(aws: str) -> None:
    """With and without a role."""
    account = AwsAccount(SETTINGS)

    assert account.caller().startswith("arn:aws:sts::123456789012:")
    assert "arn:aws:sts::210987654321:assumed-role/reader/sqs-pipeline" == account.caller(ROLE)


def test_it_lists_a_bucket_and_its_notifications(aws: str, bucket: str) -> None:
    """Without what HTTP adds."""
    transforms_aws.client("s3", REGION).put_object(Bucket=bucket, Key="a b", Body=b"xyz")
    account = AwsAccount(SETTINGS)

    (stored,) = account.objects(bucket)

    assert ("a b", 3) == (stored.key, stored.size)
    assert {} == account.notifications(bucket)
    assert REGION == account.region_of(bucket)


def test_a_refusal_has_its_code_and_what_was_said(aws: str) -> None:
    """In one line."""
    with pytest.raises(RefusedError) as refused:
        AwsAccount(SETTINGS).notifications("there-is-no-such-bucket")

    assert "NoSuchBucket" == refused.value.code
    assert refused.value.detail.startswith("NoSuchBucket from GetBucketNotificationConfiguration: ")


def test_silence_has_no_code(aws_environment: pytest.MonkeyPatch) -> None:
    """Nobody listens there."""
    aws_environment.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    aws_environment.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:1")
    account = AwsAccount(SETTINGS)

    for ask in (account.caller, account.clock_error_s):
        with pytest.raises(RefusedError, match="EndpointConnectionError") as refused:
            ask()
        assert "" == refused.value.code


def test_no_credentials_are_told_from_bad_ones(aws_environment: pytest.MonkeyPatch) -> None:
    """They are mended otherwise."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        aws_environment.delenv(name)
    aws_environment.setenv("AWS_CONFIG_FILE", os.devnull)

    with pytest.raises(RefusedError) as refused:
        AwsAccount(SETTINGS).caller()

    assert NO_CREDENTIALS == refused.value.code


def test_the_clock_is_compared_without_credentials(aws: str, aws_environment: pytest.MonkeyPatch) -> None:
    """A signature of a wrong clock would be refused before anything is learnt."""
    aws_environment.delenv("AWS_ACCESS_KEY_ID")
    aws_environment.delenv("AWS_SECRET_ACCESS_KEY")

    assert abs(AwsAccount(SETTINGS).clock_error_s()) < 30


@pytest.mark.parametrize(
    "answer",
    [
        an_answer("403 Forbidden", Date="Fri, 02 Jan 2026 03:04:05 GMT"),
        an_answer("404 Not Found", Date="Fri, 02 Jan 2026 03:04:05 GMT"),
    ],
)
def test_any_answer_has_a_date(aws_environment: pytest.MonkeyPatch, answer: bytes) -> None:
    """A refusal, too: nothing is asked for."""
    with RawServer([answer]) as server:
        aws_environment.setenv("AWS_ENDPOINT_URL_SQS", server.url)

        assert abs(AwsAccount(SETTINGS).clock_error_s()) > 86_400

    assert "authorization:" not in server.requests[0].lower()


@pytest.mark.parametrize("answer", [an_answer(), an_answer(Date="yesterday")])
def test_an_answer_without_a_date_compares_nothing(aws_environment: pytest.MonkeyPatch, answer: bytes) -> None:
    """Of a proxy, for one."""
    with RawServer([answer]) as server:
        aws_environment.setenv("AWS_ENDPOINT_URL_SQS", server.url)

        with pytest.raises(RefusedError, match="has no date"):
            AwsAccount(SETTINGS).clock_error_s()


def test_the_expected_owner_is_said_here_too(serve_s3: Callable[[RawServer], None]) -> None:
    """Of another's bucket nothing is listed."""
    settings = replace(SETTINGS, fetch=FetchSettings(REGION, expected_bucket_owner="210987654321"))
    with RawServer([an_answer(body=b"<ListBucketResult></ListBucketResult>", etag=None)]) as server:
        serve_s3(server)
        AwsAccount(settings).objects("bucket")

    assert "x-amz-expected-bucket-owner: 210987654321" in server.requests[-1].lower()
