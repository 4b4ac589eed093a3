"""Source objects from S3: by obstore, which costs a tenth of boto3's time, and by boto3 where obstore would err."""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING

import obstore

from transforms import aws
from transforms.buckets import Buckets
from transforms.failures import BrokenTransferError, TimedOutError, UnavailableError, UserError
from transforms.objects import ObjectInfo
from transforms.s3_answers import OBSTORE_ERRORS, answer_of, is_wrong_region
from transforms.s3_errors import BOTO3_ERRORS, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from obstore import GetOptions
    from obstore.store import S3Store

    from transforms.objects import OpenObject
    from transforms.records import ObjectRef

CHUNK_BYTES = 256 * 1024
"""Of a stream: enough that the calls cost nothing, little enough to hold for every open stream."""

_LOST_ON_OBSTORE = re.compile(r"\A/|/\Z|//|(?:\A|/)\.{1,2}(?:/|\Z)|[\x00-\x1f\x7f-\x9f]")
_ERRORS = (*OBSTORE_ERRORS, *BOTO3_ERRORS, UserError)


def survives_obstore(key: str) -> bool:
    """Whether obstore asks for exactly this key: it drops outer slashes, and refuses what is not a path to it."""
    return _LOST_ON_OBSTORE.search(key) is None


class S3Objects:
    """Implements `objects.Objects`. Safe to call from several threads."""

    def __init__(self, region: str, role_arn: str | None = None, expected_owner: str | None = None) -> None:
        """`region` is where buckets are whose notification does not say. Asks nobody yet.

        `role_arn` is assumed to read; a bucket that is not of the account `expected_owner` is forbidden.
        """
        self._role_arn = role_arn
        self._expected_owner = expected_owner
        self._buckets = Buckets(region, role_arn=role_arn, expected_owner=expected_owner)

    def open(self, ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> OpenObject:
        """Open `ref`; see `Objects.open`. Without credentials, everything is forbidden."""
        try:
            return self._open_where_it_is(ref, offset, if_match)
        except _ERRORS as error:
            answer = answer_of(error)
            if (
                answer is not None
                and answer.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
                and answer.object_size == offset
            ):
                info = ObjectInfo(if_match, ref.version_id, offset)
                return _Opened(ref.url, info, 0, lambda: iter(()))
            raise explain(error, ref.url) from error

    def _open_where_it_is(self, ref: ObjectRef, offset: int, if_match: str | None) -> OpenObject:
        region = self._buckets.region(ref.bucket, ref.region)
        try:
            return self._open(ref, region, offset, if_match)
        except _ERRORS as error:
            if not (is_wrong_region(error) and self._buckets.is_elsewhere(ref.bucket, region)):
                raise
        return self._open(ref, self._buckets.region(ref.bucket), offset, if_match)

    def _open(self, ref: ObjectRef, region: str, offset: int, if_match: str | None) -> OpenObject:
        etag = None if if_match is None else f'"{if_match}"'
        if survives_obstore(ref.key):
            return _open_with_obstore(self._buckets.store(ref.bucket, region), ref, offset, etag)
        client = aws.client("s3", region, role_arn=self._role_arn)
        return _open_with_boto3(client, ref, offset, etag, self._expected_owner)


class _Opened:
    """Implements `objects.OpenObject` over either client."""

    def __init__(self, url: str, info: ObjectInfo, length: int, stream: Callable[[], Iterator[bytes]]) -> None:
        self.info = info
        self._url = url
        self._length = length
        self._stream = stream

    def chunks(self) -> Iterator[bytes]:
        received = 0
        try:
            for chunk in self._stream():
                received += len(chunk)
                if received > self._length:  # a chunked body need not keep to the length beside it, nor ever end
                    break
                yield chunk
        except _ERRORS as error:
            raise explain(error, self._url) from error
        if received != self._length:
            raise BrokenTransferError(f"{self._url}: got {received:,} bytes, {self._length:,} were announced")


def _open_with_obstore(store: S3Store, ref: ObjectRef, offset: int, etag: str | None) -> OpenObject:
    options: GetOptions = {}  # it takes no None, whatever its types say
    if ref.version_id is not None:
        options["version"] = ref.version_id
    if etag is not None:
        options["if_match"] = etag
    if offset:
        options["range"] = {"offset": offset}
    result = obstore.get(store, ref.key, options=options)
    meta = result.meta
    info = ObjectInfo(_unquoted(meta["e_tag"]), meta["version"], meta["size"])
    start, stop = result.range
    length = stop - start
    # What is less than a chunk is one, and after it the stream was read to its end: to ask for more costs a wake-up.
    pieces = 1 if length < CHUNK_BYTES else None
    return _Opened(ref.url, info, length, lambda: islice(result.stream(min_chunk_size=CHUNK_BYTES), pieces))


def _open_with_boto3(client: Any, ref: ObjectRef, offset: int, etag: str | None, owner: str | None) -> OpenObject:  # noqa: ANN401 - aws.py
    options = {
        "VersionId": ref.version_id,
        "IfMatch": etag,
        "Range": f"bytes={offset}-" if offset else None,
        "ExpectedBucketOwner": owner,
    }
    wanted = {name: value for name, value in options.items() if value is not None}
    ends_at = time.monotonic() + aws.ANSWER_TIMEOUT_S
    answer = client.get_object(Bucket=ref.bucket, Key=ref.key, **wanted)
    length = answer.get("ContentLength")
    if length is None:
        raise UnavailableError(f"{ref.url}: the answer does not say how long it is")
    info = ObjectInfo(_unquoted(answer.get("ETag")), answer.get("VersionId"), offset + length)
    return _Opened(ref.url, info, length, lambda: _pieces(answer["Body"], ref.url, ends_at))


def _pieces(body: Any, url: str, ends_at: float) -> Iterator[bytes]:  # noqa: ANN401 - aws.py
    # The body's own methods wait for all that they are asked for, however slowly it comes.
    while piece := body._raw_stream.read1(CHUNK_BYTES):  # noqa: SLF001 - see above
        yield piece
        if time.monotonic() > ends_at:
            raise TimedOutError(f"{url}: the answer did not end within {aws.ANSWER_TIMEOUT_S:.0f} s")


def _unquoted(etag: str | None) -> str | None:
    return etag.strip('"') if etag else None
