"""The calls that a busy job makes all day, without most of what boto3 does around a call.

botocore keeps the connections (with its proxies, certificates and time limits), finds the credentials and signs. Left
out is what only other calls need: validation against the service's model, hooks, retries, and the reading of refusals.
That is half of a call's time. A refusal is for boto3 to ask again and to explain; after any other answer nobody knows
whether SQS did what it was asked, and who asks must be told.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError

from transforms import aws
from transforms.failures import QueueError

if TYPE_CHECKING:
    from collections.abc import Mapping


def call(
    operation: str, region: str, arguments: Mapping[str, Any], role_arn: str | None = None
) -> dict[str, Any] | None:
    """Call `operation` (`receive_message`, …) of SQS once, as `role_arn`; None if SQS refused, and so did nothing.

    Raises botocore's own errors where there is no answer, and `QueueError` where it makes no sense.
    """
    client = aws.client("sqs", region, role_arn=role_arn)
    credentials = aws.session(region, role_arn).get_credentials()
    if credentials is None:
        raise NoCredentialsError
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "User-Agent": client.meta.config.user_agent,
        "X-Amz-Target": f"AmazonSQS.{client.meta.method_to_api_mapping[operation]}",
    }
    url = f"{client.meta.endpoint_url.rstrip('/')}/"
    request = AWSRequest("POST", url, headers, json.dumps(arguments).encode())
    SigV4Auth(credentials.get_frozen_credentials(), "sqs", client.meta.region_name).add_auth(request)
    # The client's own connections, or its proxies and certificates would have to be found a second time.
    answer = client._endpoint.http_session.send(request.prepare())  # noqa: SLF001
    status = answer.status_code
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    value = _json(answer.content) if status == HTTPStatus.OK else None
    if not isinstance(value, dict):
        raise QueueError(f"the answer to {operation} makes no sense: status {status}, {len(answer.content):,} bytes")
    return value


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return None
