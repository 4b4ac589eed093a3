"""How both clients reach S3: over TLS with certificates of one's own, and through proxies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.builders import an_object_ref
from tests.certificates import a_tls_server
from tests.integration.conftest import REGION
from tests.raw_server import RawServer, an_answer
from transforms.failures import UnavailableError
from transforms.s3_objects import S3Objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

by_either_client = pytest.mark.parametrize("key", ["logs/a.gz", "logs//a.gz"])
"""The second goes by boto3."""


def read(key: str) -> bytes:
    """Read an object of the server's."""
    return b"".join(S3Objects(REGION).open(an_object_ref(bucket="bucket", key=key, region=REGION)).chunks())


@pytest.fixture
def proxy(environment: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """Stand between us and a host that only it could know."""
    environment.setenv("AWS_ENDPOINT_URL_S3", "http://s3.example.invalid")
    with RawServer([an_answer(body=b"by proxy")]) as server:
        yield server


@by_either_client
@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_certificates_of_one_s_own_are_trusted(
    environment: pytest.MonkeyPatch, tmp_path: Path, name: str, key: str
) -> None:
    """A company's proxy or an S3 of one's own has them."""
    tls, bundle = a_tls_server(tmp_path)
    with RawServer([an_answer(body=b"over TLS")], tls=tls) as server:
        environment.setenv("AWS_ENDPOINT_URL_S3", server.url)
        environment.setenv(name, str(bundle))

        assert b"over TLS" == read(key)


@by_either_client
def test_a_server_that_nobody_vouches_for_is_not_asked(
    environment: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    """And the reason is in the line."""
    tls, _ = a_tls_server(tmp_path)
    with RawServer([an_answer(body=b"over TLS")], tls=tls) as server:
        environment.setenv("AWS_ENDPOINT_URL_S3", server.url)

        with pytest.raises(UnavailableError, match=r"(?i)certificate|UnknownIssuer"):
            read(key)

    assert [] == server.requests


@by_either_client
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY"])
def test_a_proxy_is_used(environment: pytest.MonkeyPatch, proxy: RawServer, name: str, key: str) -> None:
    """It is told the whole URL."""
    environment.setenv(name, proxy.url)

    assert b"by proxy" == read(key)
    assert proxy.requests[0].startswith(f"GET http://s3.example.invalid/bucket/{key} ")


@by_either_client
def test_a_host_that_needs_no_proxy_gets_none(environment: pytest.MonkeyPatch, proxy: RawServer, key: str) -> None:
    """An endpoint inside one's own network."""
    environment.setenv("http_proxy", proxy.url)
    environment.setenv("no_proxy", "s3.example.invalid")

    with pytest.raises(UnavailableError):
        read(key)

    assert [] == proxy.requests
