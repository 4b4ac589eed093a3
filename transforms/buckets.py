"""S3 buckets as obstore opens them: boto3's credentials, endpoint and certificates, and timeouts that show outages.

obstore reads a few environment variables of its own; whatever boto3 decides is therefore passed explicitly.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.exceptions import BaseError
from obstore.store import S3Store

from transforms import aws
from transforms.failures import UserError
from transforms.sanitized import told

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

MAX_OPEN = 64
"""Buckets that stay open. Notifications name buckets, and whoever writes them could name many."""
CREDENTIALS_TTL = timedelta(minutes=5)
"""obstore asks boto3 again long before this (and boto3 knows when to refresh); its default outlives a role's token."""
RETRIES: RetryConfig = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=5),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}
"""For single hiccups; the defaults (10 retries in 3 minutes) would hide an outage."""


EXPECTED_OWNER_HEADER = "x-amz-expected-bucket-owner"
"""S3 answers 403 if the bucket is of another account. obstore signs the headers that it always sends, as S3 demands."""


def client_options() -> ClientConfig:
    """Answer HTTP options: each piece of an answer has to come in time, and all of it."""
    return {
        "connect_timeout": timedelta(seconds=aws.CONNECT_TIMEOUT_S),
        "read_timeout": timedelta(seconds=aws.READ_TIMEOUT_S),
        "timeout": timedelta(seconds=aws.ANSWER_TIMEOUT_S),
    }


def open_bucket(
    bucket: str,
    region: str,
    *,
    prefix: str | None = None,
    role_arn: str | None = None,
    expected_owner: str | None = None,
) -> S3Store:
    """Open a bucket, or what is under `prefix` in it, as `role_arn`. Asks nobody but boto3's credential chain.

    `expected_owner` is the account that the bucket must be of; every request says so.

    Raises `UserError`: no credentials, a profile that does not exist, certificates that cannot be read.
    """
    options = client_options()
    if expected_owner is not None:
        options["default_headers"] = {EXPECTED_OWNER_HEADER: expected_owner}
    try:
        credentials = _credentials(region, role_arn)
        endpoint, is_virtual_hosted = _endpoint(bucket, region)
        certificates = aws.ca_bundle(os.environ)
        if certificates:
            options["root_certificate"] = Path(certificates).read_bytes()
        options["allow_http"] = endpoint.startswith("http://")
        return S3Store(
            bucket,
            prefix=prefix,
            config={
                "region": region,
                "endpoint": endpoint,
                "aws_endpoint_url_s3": endpoint,  # or the variable of this name would win
                "virtual_hosted_style_request": is_virtual_hosted,
            },
            client_options=options,
            retry_config=RETRIES,
            credential_provider=credentials,
        )
    except (BotoCoreError, OSError) as error:
        raise UserError(f"The AWS configuration cannot be used: {told(error)}") from error
    except BaseError as error:  # it says no more of certificates than that they are none
        reason = f"certificates in {certificates}" if certificates else str(error).partition("\n")[0]
        raise UserError(f"The AWS configuration cannot be used: {reason}") from error


class Buckets:
    """Open buckets, each once, in the region that it is really in. Safe to call from several threads."""

    def __init__(self, region: str, *, role_arn: str | None = None, expected_owner: str | None = None) -> None:
        """`region` is where a bucket is looked for if nobody says where it is; the others as `open_bucket` has them."""
        self._region = region
        self._role_arn = role_arn
        self._expected_owner = expected_owner
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], S3Store] = OrderedDict()
        self._found: dict[str, str] = {}

    def region(self, bucket: str, notified: str | None = None) -> str:
        """Answer the region to ask for `bucket`; `notified` is what its notification says, if there is such a region.

        A made-up one is nowhere, and each would cost a session and clients that live as long as the process. One that
        is newer than boto3 is found by asking S3.
        """
        found = self._found.get(bucket)
        if found is not None or notified is None or notified == self._region:
            return found or self._region
        return notified if aws.is_region(notified) else self._region

    def store(self, bucket: str, region: str) -> S3Store:
        """Answer the store of `bucket`. Raises as `open_bucket`, and tries anew the next time."""
        with self._lock:
            store = self._open.get((bucket, region))
            if store is None:
                store = open_bucket(bucket, region, role_arn=self._role_arn, expected_owner=self._expected_owner)
                self._open[bucket, region] = store
                if len(self._open) > MAX_OPEN:
                    self._open.popitem(last=False)
            return store

    def is_elsewhere(self, bucket: str, region: str) -> bool:
        """Whether `bucket` is not in `region`, where S3 was asked in vain; from now on it is looked for where it is."""
        found = find_region(bucket, region, role_arn=self._role_arn)
        if found == region:
            return False
        with self._lock:
            if len(self._found) >= MAX_OPEN:
                self._found.clear()
            self._found[bucket] = found
        return True


def find_region(bucket: str, region: str, *, role_arn: str | None = None) -> str:
    """Ask S3 where `bucket` is (it says so even to those whom it denies access); `region` if it does not say."""
    try:
        answer = aws.client("s3", region, role_arn=role_arn).head_bucket(Bucket=bucket)
    except ClientError as error:
        answer = error.response
    except (BotoCoreError, RecursionError):  # not reachable; or told to go elsewhere but not where, which boto3 follows
        return region
    found: str = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", region)
    return found


def _credentials(region: str, role_arn: str | None) -> Boto3CredentialProvider:
    try:
        return Boto3CredentialProvider(aws.session(region, role_arn), ttl=CREDENTIALS_TTL)
    except ValueError as error:  # boto3 found none
        raise UserError(
            "There are no AWS credentials: set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or run where a role provides them."
        ) from error


def _endpoint(bucket: str, region: str) -> tuple[str, bool]:
    """Answer the URL to reach `bucket` at and whether it is a part of the host name, as boto3 would do it."""
    url = urlsplit(aws.client("s3", region).meta.endpoint_url.rstrip("/"))
    unsigned = aws.client("s3", region, signed=False)  # which asks nobody for credentials, and names another region
    made = urlsplit(unsigned.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}))
    if made.netloc.startswith(f"{bucket}."):
        return url._replace(netloc=f"{bucket}.{url.netloc}").geturl(), True
    return url.geturl(), False
