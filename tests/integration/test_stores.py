"""Results in S3: the same promises as a directory's, and what start-up says of a bucket that takes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import REGION
from tests.raw_server import RawServer, an_answer, an_error
from tests.store_contract import NAME, StoreContract
from transforms import aws as transforms_aws
from transforms.failures import UserError, WriteFailedError
from transforms.stores import Store, check_writable, open_store

if TYPE_CHECKING:
    from collections.abc import Callable


class TestS3(StoreContract):
    """A whole bucket."""

    @pytest.fixture
    def store(self, bucket: str) -> Store:
        """Open it."""
        return open_store(f"s3://{bucket}", region=REGION)


class TestS3Prefix(StoreContract):
    """What is under a prefix of a bucket."""

    @pytest.fixture
    def store(self, bucket: str) -> Store:
        """Open it, beside what is not ours."""
        transforms_aws.client("s3", REGION).put_object(Bucket=bucket, Key="other.json", Body=b"{}")
        return open_store(f"s3://{bucket}/out put/results/", region=REGION)


def test_a_document_is_json_to_whoever_looks_at_it(bucket: str) -> None:
    """A browser shows it then."""
    open_store(f"s3://{bucket}", region=REGION).put(NAME, b"{}")

    head = transforms_aws.client("s3", REGION).head_object(Bucket=bucket, Key=NAME)

    assert "application/json" == head["ContentType"]


def test_a_prefix_is_where_documents_are(bucket: str) -> None:
    """Names are relative to it."""
    open_store(f"s3://{bucket}/results/", region=REGION).put(NAME, b"{}")

    listed = transforms_aws.client("s3", REGION).list_objects_v2(Bucket=bucket)

    assert [f"results/{NAME}"] == [entry["Key"] for entry in listed["Contents"]]


def test_no_such_bucket_is_refused_for_good(aws: str) -> None:
    """Start-up says so."""
    with pytest.raises(WriteFailedError, match="NoSuchBucket") as caught:
        check_writable(open_store("s3://there-is-no-such-bucket", region=REGION))

    assert caught.value.permanent


@pytest.mark.parametrize(
    ("answer", "detail", "permanent"),
    [
        (an_error("403 Forbidden", "AccessDenied", "Access Denied"), "403 AccessDenied: Access Denied", True),
        (an_error("400 Bad Request", "ExpiredToken"), "400 ExpiredToken", True),
        (an_error("503 Slow Down", "SlowDown"), "503 SlowDown", False),
        (an_error("500 Internal Server Error", "InternalError"), "500 InternalError", False),
    ],
)
def test_a_refused_write_says_why(
    serve_s3: Callable[[RawServer], None], answer: bytes, detail: str, *, permanent: bool
) -> None:
    """And whether to try again."""
    with RawServer([answer]) as server:
        serve_s3(server)

        with pytest.raises(WriteFailedError, match=f"cannot write s3://bucket/out/{NAME}: {detail}") as caught:
            open_store("s3://bucket/out", region=REGION).put(NAME, b"{}")

    assert permanent == caught.value.permanent


def test_a_check_needs_the_right_to_look_too(serve_s3: Callable[[RawServer], None]) -> None:
    """S3 answers 403 to a look at what is missing, unless one may list the bucket; the ledger is looked at."""
    with RawServer([an_answer("403 Forbidden")]) as server:
        serve_s3(server)

        with pytest.raises(WriteFailedError, match="cannot look for s3://bucket/_write_probe: 403") as caught:
            check_writable(open_store("s3://bucket", region=REGION))

    assert caught.value.permanent


def test_a_bucket_in_another_region_is_found_there(serve_s3: Callable[[RawServer], None]) -> None:
    """The queue and the output need not be neighbours; AWS has one region for all."""

    def answer(request: str) -> bytes:
        if request.startswith("HEAD /bucket "):
            return an_answer("301 Moved Permanently", etag=None, x_amz_bucket_region="eu-west-3")
        if "/eu-west-3/s3/" in request:
            return an_answer("404 Not Found" if request.startswith("HEAD") else "200 OK")
        return an_error("301 Moved Permanently", "PermanentRedirect")

    with RawServer(answer) as server:
        serve_s3(server)
        store = open_store("s3://bucket", region=REGION)

        store.put(NAME, b"{}")
        store.put(NAME, b"{}")

        puts = [request for request in server.requests if request.startswith("PUT")]

    assert [False, True, True] == ["/eu-west-3/s3/" in request for request in puts]


def test_a_look_finds_a_bucket_in_another_region_too(serve_s3: Callable[[RawServer], None]) -> None:
    """It is the first thing that start-up does, and S3 answers it without a reason: a HEAD has no body."""

    def answer(request: str) -> bytes:
        if request.startswith("HEAD /bucket "):
            return an_answer("301 Moved Permanently", etag=None, x_amz_bucket_region="eu-west-3")
        return an_answer("404 Not Found" if "/eu-west-3/s3/" in request else "400 Bad Request", etag=None)

    with RawServer(answer) as server:
        serve_s3(server)

        assert not open_store("s3://bucket", region=REGION).exists(NAME)


def test_an_s3_store_without_credentials_is_refused_with_a_sentence(aws_environment: pytest.MonkeyPatch) -> None:
    """Exit code 2, before anything is received."""
    aws_environment.delenv("AWS_ACCESS_KEY_ID")
    aws_environment.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(UserError, match="There are no AWS credentials"):
        open_store("s3://bucket", region=REGION)
