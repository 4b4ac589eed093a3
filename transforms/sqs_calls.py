"""The calls that a busy job makes all day, without most of what boto3 does around a call.

botocore keeps the connections (with its proxies, certificates and time limits), finds the credentials and signs. Left
out is what only other calls need: validation against the service's model, hooks, retries, and the reading of refusals.
That is half of a call's time. Whatever is not a plain success is for boto3 to ask again and to explain.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import NoCredentialsError

from transforms import aws

if TYPE_CHECKING:
    from collections.abc import Mapping


def call(operation: str, region: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Call `operation` (`receive_message`, …) of SQS once; None if the answer is a refusal, or makes no sense.

    Raises botocore's own errors where there is no answer: then nobody knows whether SQS did what it was asked.
    """
    client = aws.client("sqs", region)
    credentials = aws.session(region).get_credentials()
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
    return _json_object(answer.content) if answer.status_code == HTTPStatus.OK else None


def _json_object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
