"""Results in S3: the same promises as a directory's, and what start-up says of a bucket that takes nothing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

from tests.integration.conftest import REGION
from tests.raw_server import RawServer, an_answer, an_error
from tests.store_contract import NAME, ROWS, StoreContract
from transforms import aws as transforms_aws
from transforms.failures import UserError, WriteFailedError
from transforms.remote_store import PART_BYTES
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


def test_a_file_of_many_parts_is_not_in_memory_and_leaves_no_part_behind(bucket: str) -> None:
    """Two parts at most are, whatever its size; the parts of one that failed are taken back."""
    sizes: list[int | None] = []

    class _Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(size)
            if self.tell() >= self.getbuffer().nbytes - 1:
                raise OSError("the last byte cannot be read")
            return super().read(size)

    with pytest.raises(OSError, match="last byte"):
        open_store(f"s3://{bucket}", region=REGION).put_file(ROWS, _Watched(bytes(3 * PART_BYTES + 1)))

    s3 = transforms_aws.client("s3", REGION)
    assert {PART_BYTES} == set(sizes)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_a_part_that_is_refused_has_the_others_taken_back(serve_s3: Callable[[RawServer], None]) -> None:
    """S3 would go on to charge for them."""
    begun = b"<InitiateMultipartUploadResult><Bucket>bucket</Bucket><Key>k</Key><UploadId>u1</UploadId>"

    def answer(request: str) -> bytes:
        if request.startswith("POST"):
            return an_answer(body=begun + b"</InitiateMultipartUploadResult>")
        refused = request.startswith("PUT") and "partNumber=2&" in request.partition(" HTTP/")[0]
        return an_error("403 Forbidden", "AccessDenied") if refused else an_answer()

    with RawServer(answer) as server:
        serve_s3(server)

        with pytest.raises(WriteFailedError, match=f"cannot write s3://bucket/{ROWS}: 403 AccessDenied") as caught:
            open_store("s3://bucket", region=REGION).put_file(ROWS, io.BytesIO(b"x" * 3 * PART_BYTES))
        last = server.requests[-1].partition(" HTTP/")[0]

    assert caught.value.permanent
    assert last.startswith("DELETE ")
    assert last.endswith("uploadId=u1")


def test_a_file_finds_a_bucket_in_another_region_from_its_first_byte(serve_s3: Callable[[RawServer], None]) -> None:
    """It is asked for twice, and read twice."""

    def answer(request: str) -> bytes:
        if request.startswith("HEAD /bucket "):
            return an_answer("301 Moved Permanently", etag=None, x_amz_bucket_region="eu-west-3")
        if "/eu-west-3/s3/" in request:
            return an_answer()
        return an_error("301 Moved Permanently", "PermanentRedirect")

    with RawServer(answer) as server:
        serve_s3(server)

        open_store("s3://bucket", region=REGION).put_file(ROWS, io.BytesIO(b"rows"))
        bodies = [request.rpartition("\r\n\r\n")[2] for request in server.requests if request.startswith("PUT")]

    assert ["rows", "rows"] == bodies


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
