"""Source objects from a server that keeps every key that S3 keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.builders import an_object_ref
from tests.integration.conftest import REGION
from tests.strategies import keys
from transforms import aws as transforms_aws
from transforms.failures import BrokenTransferError, BucketGoneError, ObjectGoneError
from transforms.s3_objects import CHUNK_BYTES, S3Objects, survives_obstore

if TYPE_CHECKING:
    from collections.abc import Callable

    from transforms.records import ObjectRef

Client = Any
"""boto3 makes its clients' classes as it runs."""
ODD_KEYS = [
    "a b/c+d.gz",
    "a%2Fb%zz",
    "/leading",
    "trailing/",
    "double//slash",
    "./a",
    "a/./b",
    "a/..",
    "..",
    ".",
    "...",
    "tab\t",
    "delete\x7f",
    "\x85",
    "back\\slash",
    "?query=1&b#fragment",
    "ü日本🦆",
    "e\u0301",
    "~!@$^*()[]{}|;:'\",<>`",
    " ",
]
"""What obstore takes, changes and refuses; a stand-in for S3 that changes them too would be noticed by its list."""


@pytest.fixture
def s3(aws: str) -> Client:
    """The client to put objects with."""
    return transforms_aws.client("s3", REGION)


@pytest.fixture(scope="module")
def objects(aws: str) -> S3Objects:
    """What is tested."""
    return S3Objects(REGION)


@pytest.fixture
def ref_to(bucket: str) -> Callable[..., ObjectRef]:
    """Build references to this test's bucket."""

    def build(key: str, *, version_id: str | None = None) -> ObjectRef:
        return an_object_ref(bucket=bucket, key=key, region=REGION, version_id=version_id)

    return build


@pytest.mark.parametrize("key", ODD_KEYS)
def test_every_key_reads_its_own_object(
    s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
) -> None:
    """Its neighbours' names are what obstore would make of it."""
    for decoy in {key.strip("/"), key.replace("//", "/"), "a/b", "a"} - {key, "", ".", ".."}:
        s3.put_object(Bucket=bucket, Key=decoy, Body=b"another object")
    put = s3.put_object(Bucket=bucket, Key=key, Body=b"its own")

    opened = objects.open(ref_to(key))

    assert b"its own" == b"".join(opened.chunks())
    assert (put["ETag"].strip('"'), len(b"its own")) == (opened.info.etag, opened.info.size)
    assert b"own" == b"".join(objects.open(ref_to(key), offset=4, if_match=opened.info.etag).chunks())


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=keys().filter(survives_obstore))
def test_obstore_asks_for_exactly_the_keys_that_are_left_to_it(s3: Client, bucket: str, key: str) -> None:
    """What it writes is found under the same name by boto3."""
    from transforms.buckets import open_bucket  # noqa: PLC0415 - only this test writes with it

    open_bucket(bucket, REGION).put(key, b"")

    listed = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    s3.delete_object(Bucket=bucket, Key=key)
    assert [key] == listed


@pytest.mark.parametrize("key", ["plain.gz", "/odd//key"])
class TestEitherClient:
    """A key goes by obstore or by boto3: what is promised is the same."""

    def test_a_version_is_the_version_fetched(
        self, s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
    ) -> None:
        """Whatever was written since."""
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        first = s3.put_object(Bucket=bucket, Key=key, Body=b"first")
        second = s3.put_object(Bucket=bucket, Key=key, Body=b"second")

        old = objects.open(ref_to(key, version_id=first["VersionId"]))
        new = objects.open(ref_to(key))

        assert (b"first", first["VersionId"]) == (b"".join(old.chunks()), old.info.version_id)
        assert (b"second", second["VersionId"]) == (b"".join(new.chunks()), new.info.version_id)

    def test_a_key_or_version_that_is_not_there_is_gone(
        self, s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
    ) -> None:
        """And the error names it."""
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

        with pytest.raises(ObjectGoneError, match="NoSuchKey") as no_key:
            objects.open(ref_to(key))
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
        with pytest.raises(ObjectGoneError, match="NoSuchVersion"):
            objects.open(ref_to(key, version_id="a9b8c7"))

        assert ref_to(key).url in no_key.value.detail

    def test_a_deleted_object_is_gone_and_so_is_its_delete_marker(
        self, s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
    ) -> None:
        """The stand-in answers 404 to both, S3 405 to the marker; `test_s3_errors.py` has that."""
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
        marker = s3.delete_object(Bucket=bucket, Key=key)

        with pytest.raises(ObjectGoneError, match="NoSuchKey"):
            objects.open(ref_to(key))
        with pytest.raises(ObjectGoneError, match="NoSuchVersion"):
            objects.open(ref_to(key, version_id=marker["VersionId"]))

    def test_a_bucket_that_is_not_there_is_gone(self, objects: S3Objects, key: str) -> None:
        """It may come back, unlike an object."""
        with pytest.raises(BucketGoneError, match="NoSuchBucket"):
            objects.open(an_object_ref(bucket="there-is-no-such-bucket", key=key, region=None))

    def test_another_etag_than_asked_for_is_gone(
        self, s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
    ) -> None:
        """A download that resumes must not go on with another object."""
        s3.put_object(Bucket=bucket, Key=key, Body=b"overwritten")

        with pytest.raises(ObjectGoneError, match="412 PreconditionFailed"):
            objects.open(ref_to(key), offset=3, if_match="d41d8cd98f00b204e9800998ecf8427e")

    def test_an_offset_at_the_end_is_the_end_and_beyond_it_a_broken_transfer(
        self, s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
    ) -> None:
        """S3 answers 416 to both."""
        s3.put_object(Bucket=bucket, Key=key, Body=b"12345")

        at_the_end = objects.open(ref_to(key), offset=5)

        assert (b"", []) == (b"".join(at_the_end.chunks()), list(at_the_end.chunks()))
        assert 5 == at_the_end.info.size
        with pytest.raises(BrokenTransferError, match="416 InvalidRange"):
            objects.open(ref_to(key), offset=6)

    def test_the_size_is_the_whole_object_s_from_any_offset(
        self, s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
    ) -> None:
        """And what is read is the rest."""
        s3.put_object(Bucket=bucket, Key=key, Body=b"0123456789")

        opened = objects.open(ref_to(key), offset=7)

        assert (10, b"789") == (opened.info.size, b"".join(opened.chunks()))

    def test_a_large_object_comes_in_pieces(
        self, s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
    ) -> None:
        """None of them much larger than asked for."""
        body = bytes(range(256)) * 8192
        s3.put_object(Bucket=bucket, Key=key, Body=body)

        chunks = list(objects.open(ref_to(key)).chunks())

        assert body == b"".join(chunks)
        assert max(map(len, chunks)) <= 4 * CHUNK_BYTES

    def test_an_encoded_object_arrives_as_it_is_stored(
        self, s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
    ) -> None:
        """Gunzipping is ours: a client that did it by the header would hide the stored size."""
        s3.put_object(Bucket=bucket, Key=key, Body=b"not gzip at all", ContentEncoding="gzip")

        assert b"not gzip at all" == b"".join(objects.open(ref_to(key)).chunks())

    def test_an_empty_object_is_read_as_nothing(
        self, s3: Client, objects: S3Objects, ref_to: Callable[..., ObjectRef], bucket: str, key: str
    ) -> None:
        """A range of it does not exist, so none is asked for."""
        s3.put_object(Bucket=bucket, Key=key, Body=b"")

        opened = objects.open(ref_to(key))

        assert (b"", 0) == (b"".join(opened.chunks()), opened.info.size)
