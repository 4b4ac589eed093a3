"""Where results and dead letters go: complete, in place for every reader, safe from a crash."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError
from obstore.store import from_url

from transforms import aws
from transforms.buckets import RETRIES, client_options, find_region, open_bucket
from transforms.directory_store import DirectoryStore
from transforms.failures import UserError, WriteFailedError
from transforms.remote_store import RemoteStore
from transforms.s3_objects import survives_obstore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import S3Store


class Store(Protocol):
    """Named documents, and files beside them. Names are relative, `/`-separated paths made by `result_names.py`.

    Safe to call from several threads. Every call raises `WriteFailedError`, `permanent` if asking again cannot help.
    """

    is_remote: bool
    """Whether a call waits on a network (so a pool should make it)."""

    def put(self, name: str, document: bytes) -> None:
        """Store `document` whole or not at all, replacing what was there."""

    def put_file(self, name: str, file: IO[bytes]) -> None:
        """Store all of `file`, which can seek, whole or not at all, a piece in memory at a time."""

    def exists(self, name: str) -> bool:
        """Whether `name` is stored."""

    def get(self, name: str) -> bytes:
        """Read `name` whole."""

    def delete(self, name: str) -> None:
        """Remove `name`; no error if it is not there."""

    def names(self) -> Iterator[str]:
        """List every stored name that ends in `.json`, in no order."""


PROBE = "_write_probe"
"""What `check_writable` stores for a moment; its name is no result's, and does not end in `.json`."""

_URL = re.compile(r"([a-z][a-z0-9+.-]*)://.*", re.IGNORECASE | re.DOTALL)
_OBSTORE_SCHEMES = frozenset({"gs", "az", "adl", "azure", "abfs", "abfss", "memory"})


def open_store(location: str, *, region: str, fsync: bool = False, role_arn: str | None = None) -> Store:
    """Open a directory (a path or a `file://` URL), `s3://bucket/prefix`, or another URL that obstore knows.

    Asks nobody yet but boto3's credential chain. `region` is where an S3 bucket is looked for first; `fsync` is for
    directories; `role_arn` is assumed to write to S3. Raises `UserError`: not a location, or nothing to sign requests
    with.
    """
    place = aws.s3_place(location)
    if place:
        return _open_s3(location, *place, region, role_arn)
    url = _URL.fullmatch(location)
    if url is None:
        return DirectoryStore(Path(location).expanduser().absolute(), fsync=fsync)
    scheme = url[1].lower()
    if scheme == "file":
        return DirectoryStore(_local_path(location), fsync=fsync)
    if scheme not in _OBSTORE_SCHEMES:
        known = ", ".join(sorted(_OBSTORE_SCHEMES | {"file", "s3"}))
        raise UserError(f"{location} is neither a directory nor a URL of a known kind ({known}).")
    try:
        return RemoteStore(location, from_url(location, client_options=client_options(), retry_config=RETRIES))
    except (BaseError, ValueError) as error:
        raise UserError(f"{location} cannot be opened: {str(error).partition(chr(10))[0]}") from error


def check_writable(store: Store) -> None:
    """Look for a small object, store it and remove it. Raises `WriteFailedError`, `permanent` if nothing can be stored.

    Whoever may not delete leaves it there: results need no permission to delete.
    """
    store.exists(PROBE)  # S3 denies this to whoever may not list the bucket, and then the ledger could not be read
    store.put(PROBE, b"")
    with suppress(WriteFailedError):
        store.delete(PROBE)


def _local_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"} or parts.query or parts.fragment:
        raise UserError(f"{url} is not a directory of this machine: write file:///path, with %23 for # and %3F for ?.")
    return Path(unquote(parts.path))


def _open_s3(url: str, bucket: str, prefix: str, region: str, role_arn: str | None) -> Store:
    if not bucket or (prefix and not survives_obstore(prefix)):
        raise UserError(
            f"{url} is not a place in S3: write s3://bucket or s3://bucket/prefix, without // . or .. in it."
        )

    def opened(region: str) -> S3Store:
        return open_bucket(bucket, region, prefix=prefix or None, role_arn=role_arn)

    def move() -> S3Store | None:
        found = find_region(bucket, region, role_arn=role_arn)
        return None if found == region else opened(found)

    return RemoteStore(url, opened(region), move=move)
