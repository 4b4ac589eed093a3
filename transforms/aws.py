"""How this process talks to AWS: a boto3 session for each region and role, clients that give up in time, which region.

Credentials are found by boto3 (environment, profile, SSO, container, instance) and are never an option of ours; a role
that they may assume is (`roles.py`).
"""

from __future__ import annotations

import functools
import re
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from transforms.failures import UserError
from transforms.roles import session_as
from transforms.sanitized import told

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_REGION = "us-east-1"
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 30.0
"""From a request to the end of its answer, so that nobody is held for ever by one that drips. A body that takes longer
goes on by a further request (see `downloads.py`)."""
SQS_READ_TIMEOUT_S = 30.0
"""SQS holds a long poll for up to 20 seconds before it answers."""
MAX_ATTEMPTS = 3
"""In all. Whoever asks tries again later on its own, so this is for single hiccups."""
MAX_CONNECTIONS = 64
"""At once for each client; more threads than that wait for one another instead of opening connections anew."""

_REGION_LABEL = re.compile(r"[a-z]{2,5}(-[a-z]+)+-\d{1,2}")

_NO_XML = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#\w{1,8};")

_making = threading.Lock()
"""boto3 sessions may not make clients in two threads at once."""


def session(region: str, role_arn: str | None = None) -> boto3.Session:
    """Answer this process's session for `region`, acting as `role_arn` if there is one.

    Raises `UserError`, for example if there is no such profile.
    """
    with _making:
        return _session(region, role_arn)


def client(
    service: str, region: str, *, role_arn: str | None = None, signed: bool = True, attempts: int = MAX_ATTEMPTS
) -> Any:  # noqa: ANN401 - boto3 makes the class as it runs
    """Answer this process's client for `sqs`, `s3` or `sts`; clients are safe to call from several threads.

    One that is not `signed` needs no credentials, to say where a request would go. It tries `attempts` times in all:
    who must know of every answer that was lost asks for one, and tries again itself.

    Raises `UserError` as `session` does. Calls raise botocore's own errors; a dead service takes up to
    `attempts` timeouts to be one.
    """
    with _making:
        return _client(service, region, role_arn, signed=signed, attempts=attempts)


def resolve_region(environ: Mapping[str, str], *, queue_url: str | None, profile_region: str | None) -> str:
    """Answer the region to work in: `AWS_REGION` (boto3 ignores it), the usual places, the queue's, `us-east-1`."""
    return (
        environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or profile_region
        or (region_of_queue(queue_url) if queue_url else None)
        or DEFAULT_REGION
    )


def region_of_queue(queue_url: str) -> str | None:
    """Answer the region in a queue's host name (public, FIPS, VPC endpoint, old style, …), if it names one."""
    try:
        host = urlsplit(queue_url).hostname or ""
    except ValueError:  # not a URL: whoever opens the queue says so
        return None
    return next((label for label in host.split(".") if _REGION_LABEL.fullmatch(label)), None)


def is_region(name: str) -> bool:
    """Whether boto3 knows a region of S3 by this name. Asks nobody."""
    with _making:  # else every thread would read the list, which has megabytes
        return name in _regions()


@functools.cache
def _regions() -> frozenset[str]:
    known = botocore.session.Session()
    partitions = known.get_available_partitions()
    return frozenset(region for name in partitions for region in known.get_available_regions("s3", partition_name=name))


def s3_place(location: str) -> tuple[str, str] | None:
    """Answer the bucket and the prefix (without a slash at its end) of `s3://bucket/prefix`; None for other places."""
    scheme, is_url, place = location.partition("://")
    if not is_url or scheme.lower() not in {"s3", "s3a"}:
        return None
    bucket, _, prefix = place.rstrip("/").partition("/")
    return bucket, prefix


def profile_region() -> str | None:
    """Answer the region of the profile in use (`AWS_PROFILE`), if it has one. Raises `UserError` as `session` does."""
    try:
        region: str | None = botocore.session.Session().get_config_variable("region", methods=("config",))
    except BotoCoreError as error:
        raise _configuration_error(error) from error
    return region


def ca_bundle(environ: Mapping[str, str]) -> str | None:
    """Answer the file of certificates that boto3 trusts: `AWS_CA_BUNDLE`, the profile's, `REQUESTS_CA_BUNDLE`."""
    return botocore.session.Session().get_config_variable("ca_bundle") or environ.get("REQUESTS_CA_BUNDLE")


@functools.cache
def _session(region: str, role_arn: str | None) -> boto3.Session:
    try:
        base = boto3.Session(region_name=region)
        return base if role_arn is None else session_as(role_arn, base, _config("sts", MAX_ATTEMPTS))
    except BotoCoreError as error:
        raise _configuration_error(error) from error


@functools.cache
def _client(service: str, region: str, role_arn: str | None, *, signed: bool, attempts: int) -> Any:  # noqa: ANN401 - as `client`
    try:
        made = _session(region, role_arn).client(service, config=_config(service, attempts, signed=signed))
        made.meta.events.register("before-parse.s3.GetObject", _make_readable)
    except (BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is not a URL
        raise _configuration_error(error) from error
    return made


def _config(service: str, attempts: int, *, signed: bool = True) -> Config:
    return Config(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=SQS_READ_TIMEOUT_S if service == "sqs" else READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=MAX_CONNECTIONS,
        tcp_keepalive=True,
        signature_version=None if signed else UNSIGNED,
        s3={"us_east_1_regional_endpoint": "regional"},
    )


def _make_readable(response_dict: dict[str, Any], **_: object) -> None:
    """Mend an error that quotes a key with control characters: no XML, and boto3 would not see that the key is gone."""
    if response_dict["status_code"] >= HTTPStatus.MULTIPLE_CHOICES:
        response_dict["body"] = _NO_XML.sub(b"?", response_dict["body"])


def _configuration_error(error: Exception) -> UserError:
    return UserError(f"The AWS configuration cannot be used: {told(error)}")
