"""The calls that a busy job makes all day, without most of what boto3 does around a call.

boto3 finds the credentials and the endpoint. Left out is what only other calls need: validation against the service's
model, hooks, retries, and the reading of refusals. That is most of a call's time. A refusal is for boto3 to ask again
and to explain, and so is everything behind a proxy; after any other answer nobody knows whether SQS did what it was
asked, and who asks must be told.
"""

from __future__ import annotations

import functools
import json
import os
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.exceptions import NoCredentialsError
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from transforms import aws
from transforms.connections import Connections
from transforms.failures import QueueError
from transforms.signatures import Signer

if TYPE_CHECKING:
    from collections.abc import Mapping


def call(
    operation: str, region: str, arguments: Mapping[str, Any], role_arn: str | None = None
) -> dict[str, Any] | None:
    """Call `operation` (`receive_message`, …) of SQS once, as `role_arn`; None if SQS did nothing, and boto3 is to ask.

    Raises botocore's own errors where there is no answer, and `QueueError` where it makes no sense.
    """
    client = aws.client("sqs", region, role_arn=role_arn)
    connections = _connections(client, os.getpid())
    if connections is None:
        return None
    credentials = aws.session(region, role_arn).get_credentials()
    if credentials is None:
        raise NoCredentialsError
    body = json.dumps(arguments).encode()
    signed = {
        "Host": connections.host,
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": f"AmazonSQS.{client.meta.method_to_api_mapping[operation]}",
    }
    signer = _signer(client.meta.region_name)
    headers = signer.signed(signed, body, credentials.get_frozen_credentials(), datetime.now(UTC))
    status, answer = connections.post({"User-Agent": client.meta.config.user_agent, **headers}, body)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    value = _json(answer) if status == HTTPStatus.OK else None
    if not isinstance(value, dict):
        raise QueueError(f"the answer to {operation} makes no sense: status {status}, {len(answer):,} bytes")
    return value


@functools.lru_cache(maxsize=16)
def _connections(client: Any, process: int) -> Connections | None:  # noqa: ANN401, ARG001 - as boto3 makes it; a key
    """Answer a process's connections to where `client` asks (not its parent's); None where only botocore knows how."""
    url = client.meta.endpoint_url.rstrip("/")
    parts = urlsplit(url)
    if parts.path or parts.scheme in get_environ_proxies(url):
        return None
    return Connections(
        url,
        certificates=aws.ca_bundle(os.environ) or get_cert_path(verify=True),
        connect_timeout_s=aws.CONNECT_TIMEOUT_S,
        read_timeout_s=aws.SQS_READ_TIMEOUT_S,
    )


@functools.cache
def _signer(region: str) -> Signer:
    return Signer("sqs", region)


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
