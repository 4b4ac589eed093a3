"""Which region to work in, and clients that give up in time."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from transforms import aws
from transforms.aws import client, profile_region, region_of_queue, resolve_region, session
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUEUE_URL = "https://sqs.ap-south-1.amazonaws.com/123456789012/notifications"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Begin without any AWS settings, and forget what was made of them."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    aws._session.cache_clear()
    aws._client.cache_clear()
    yield
    aws._session.cache_clear()
    aws._client.cache_clear()


@pytest.mark.parametrize(
    ("environ", "in_profile", "expected"),
    [
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-3", "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-3", "eu-west-2"),
        ({}, "eu-west-3", "eu-west-3"),
        ({}, None, "ap-south-1"),
    ],
)
def test_the_region_is_what_is_said_most_explicitly(
    environ: dict[str, str], in_profile: str | None, expected: str
) -> None:
    """AWS_REGION first, which boto3 ignores and everybody sets."""
    assert expected == resolve_region(environ, queue_url=QUEUE_URL, profile_region=in_profile)


@pytest.mark.parametrize("queue_url", [None, "http://localhost:5000/123456789012/q", "http://[", ""])
def test_without_any_hint_the_region_is_us_east_1(queue_url: str | None) -> None:
    """As for most of AWS's tools."""
    assert "us-east-1" == resolve_region({}, queue_url=queue_url, profile_region=None)


@pytest.mark.parametrize(
    ("queue_url", "expected"),
    [
        ("https://sqs.us-east-2.amazonaws.com/123456789012/q", "us-east-2"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/123456789012/q", "us-gov-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q", "cn-north-1"),
        ("https://sqs.eu-central-1.api.aws/123456789012/q", "eu-central-1"),
        ("https://eu-west-1.queue.amazonaws.com/123456789012/q", "eu-west-1"),
        ("https://vpce-0a1b2c.sqs.sa-east-1.vpce.amazonaws.com/123456789012/q", "sa-east-1"),
        ("http://sqs.eu-west-3.localhost.localstack.cloud:4566/000000000000/q", "eu-west-3"),
        ("https://queue.amazonaws.com/123456789012/q", None),
    ],
)
def test_a_queue_s_region_is_read_from_its_host(queue_url: str, expected: str | None) -> None:
    """Whichever of AWS's kinds of host it is."""
    assert expected == region_of_queue(queue_url)


def test_the_profile_in_use_has_a_region(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment's own is no business of the profile's."""
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n[profile work]\nregion = eu-north-1\n")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")

    default = profile_region()
    monkeypatch.setenv("AWS_PROFILE", "work")

    assert ("eu-west-1", "eu-north-1") == (default, profile_region())


def test_a_profile_that_does_not_exist_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback of boto3's."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")

    for ask in (profile_region, lambda: session("eu-west-1"), lambda: client("sqs", "eu-west-1")):
        with pytest.raises(UserError, match="no-such-profile"):
            ask()


def test_an_endpoint_that_is_no_url_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody left out http://."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:5000")

    with pytest.raises(UserError, match="localhost:5000"):
        client("sqs", "eu-west-1")


def test_every_thread_gets_the_same_client() -> None:
    """Making them at once in several threads breaks boto3."""
    clients: list[object] = []
    threads = [threading.Thread(target=lambda: clients.append(client("sqs", "eu-west-1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [clients[0]] * 8 == clients


def test_a_client_waits_longer_than_the_longest_poll_and_not_for_ever() -> None:
    """SQS holds a poll for 20 seconds; boto3's defaults wait a minute, five times."""
    config = client("sqs", "eu-west-1").meta.config

    assert (5.0, 30.0) == (config.connect_timeout, config.read_timeout)
    assert {"mode": "standard", "total_max_attempts": 3} == config.retries
    assert client("sqs", "eu-west-1", attempts=1).meta.config.retries["total_max_attempts"] == 1
    assert 20.0 == client("s3", "eu-west-1").meta.config.read_timeout


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/a/prefix/", ("bucket", "a/prefix")),
        ("S3A://bucket/p", ("bucket", "p")),
        ("gs://bucket/p", None),
        ("s3", None),
        ("s3/output", None),
    ],
)
def test_a_place_in_s3_is_told_from_others(location: str, place: tuple[str, str] | None) -> None:
    """A directory may be called s3."""
    assert place == aws.s3_place(location)
