"""Our signatures are botocore's, for whatever the job sends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from transforms.signatures import Signer

REGION = "eu-west-1"
HOST = "sqs.eu-west-1.amazonaws.com"
KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
CREDENTIALS = st.builds(ReadOnlyCredentials, access_key=KEYS, secret_key=KEYS, token=st.none() | KEYS)
MOMENTS = st.integers(1_577_836_800, 4_070_908_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def the_headers(host: str = HOST, target: str = "AmazonSQS.ReceiveMessage") -> dict[str, str]:
    """Answer what the job has signed."""
    return {"Host": host, "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": target}


def by_botocore(
    monkeypatch: pytest.MonkeyPatch,
    headers: dict[str, str],
    body: bytes,
    credentials: ReadOnlyCredentials,
    at: datetime,
) -> dict[str, str]:
    """Answer the headers that botocore sends for the same."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: at)
    asked = {name: value for name, value in headers.items() if name != "Host"}
    request = AWSRequest("POST", f"https://{headers['Host']}/", asked, body)
    SigV4Auth(credentials, "sqs", REGION).add_auth(request)
    return {"Host": headers["Host"], **dict(request.headers.items())}


@given(credentials=CREDENTIALS, body=st.binary(max_size=200), at=MOMENTS, target=KEYS, port=st.none() | st.just(4566))
def test_a_signature_is_the_one_that_botocore_makes(
    credentials: ReadOnlyCredentials, body: bytes, at: datetime, target: str, port: int | None
) -> None:
    """Whatever the keys, the token, the body, the operation, the server and the time."""
    headers = the_headers(HOST if port is None else f"localhost:{port}", target)

    with pytest.MonkeyPatch.context() as patch:
        expected = by_botocore(patch, headers, body, credentials, at)

    assert expected == Signer("sqs", REGION).signed(headers, body, credentials, at)


def test_a_signer_signs_with_the_keys_and_the_day_of_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of a role are renewed each hour, and the key that is made of them is good for a day."""
    signer, now = Signer("sqs", REGION), datetime(2026, 1, 2, 23, 59, 59, tzinfo=UTC)
    first, renewed = ReadOnlyCredentials("A", "secret", "token"), ReadOnlyCredentials("B", "another", "newer")
    requests = [(first, now), (renewed, now), (first, now), (first, now + timedelta(seconds=1))]

    expected = [by_botocore(monkeypatch, the_headers(), b"{}", keys, at) for keys, at in requests]

    assert expected == [signer.signed(the_headers(), b"{}", keys, at) for keys, at in requests]
