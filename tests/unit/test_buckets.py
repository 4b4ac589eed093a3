"""Buckets as obstore opens them: what boto3 decides is what it is told."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from transforms import aws, buckets
from transforms.buckets import MAX_OPEN, Buckets, open_bucket
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begin with credentials and nothing else of AWS, and forget what was made of them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    forget_clients()
    yield
    forget_clients()


def forget_clients() -> None:
    """Make the next client read the environment."""
    aws._session.cache_clear()
    aws._client.cache_clear()


@pytest.mark.parametrize(
    ("bucket", "region", "environ", "expected"),
    [
        ("bucket", "us-east-1", {}, "https://bucket.s3.us-east-1.amazonaws.com"),
        ("bucket", "eu-west-1", {}, "https://bucket.s3.eu-west-1.amazonaws.com"),
        ("bucket", "cn-north-1", {}, "https://bucket.s3.cn-north-1.amazonaws.com.cn"),
        ("dotted.bucket", "eu-west-1", {}, "https://s3.eu-west-1.amazonaws.com"),
        ("Old_Bucket", "us-east-1", {}, "https://s3.us-east-1.amazonaws.com"),
        ("bucket", "us-east-1", {"AWS_USE_FIPS_ENDPOINT": "true"}, "https://bucket.s3-fips.us-east-1.amazonaws.com"),
        ("bucket", "eu-west-1", {"AWS_ENDPOINT_URL": "http://localhost:5000/"}, "http://localhost:5000"),
        ("bucket", "eu-west-1", {"AWS_ENDPOINT_URL": "http://[::1]:5000"}, "http://[::1]:5000"),
        (
            "bucket",
            "eu-west-1",
            {"AWS_ENDPOINT_URL": "http://localhost:5000", "AWS_ENDPOINT_URL_S3": "https://minio.example/s3"},
            "https://minio.example/s3",
        ),
        (
            "bucket",
            "eu-west-1",
            {"AWS_ENDPOINT_URL_S3": "http://localhost:5000", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
            "https://bucket.s3.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_a_bucket_is_asked_where_boto3_would_ask(
    monkeypatch: pytest.MonkeyPatch, bucket: str, region: str, environ: dict[str, str], expected: str
) -> None:
    """Its host, its style and its scheme; obstore's own reading of the environment differs."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    store = open_bucket(bucket, region)

    told = dict(store.config) | dict(store.client_options or {})
    assert (expected, expected, region) == (told["endpoint"], told["endpoint_url_s3"], told["region"])
    assert str(f"//{bucket}." in expected).lower() == told["virtual_hosted_style_request"]
    assert str(expected.startswith("http://")).lower() == told["allow_http"]


def test_a_profile_s_endpoint_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """People who work with a stand-in set it there."""
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://stand-in:9000\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    assert "http://stand-in:9000" == open_bucket("bucket", "eu-west-1").config["endpoint"]


def test_an_outage_is_noticed_in_seconds_and_so_is_a_body_that_drips() -> None:
    """By default obstore retries for three minutes, and waits for a stalled body for ever."""
    store = open_bucket("bucket", "eu-west-1")

    assert store.client_options is not None
    assert store.retry_config is not None
    assert ("5s", "20s") == (store.client_options["connect_timeout"], store.client_options["read_timeout"])
    assert "30s" == store.client_options["timeout"]
    assert (2, timedelta(seconds=5)) == (store.retry_config["max_retries"], store.retry_config["retry_timeout"])


def test_credentials_are_good_for_five_minutes() -> None:
    """A role's may end within obstore's default of 30."""
    provider = open_bucket("bucket", "eu-west-1").credential_provider

    assert provider is not None
    credentials = provider()

    assert isinstance(credentials, dict)
    assert "testing" == credentials["access_key_id"]
    assert credentials["expires_at"] is not None
    assert timedelta(0) < credentials["expires_at"] - datetime.now(UTC) <= timedelta(minutes=5)


@pytest.mark.parametrize("name", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_certificates_that_cannot_be_read_are_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """With the file's name in it."""
    monkeypatch.setenv(name, "/no/such/bundle.pem")

    with pytest.raises(UserError, match=r"/no/such/bundle\.pem"):
        open_bucket("bucket", "eu-west-1")


def test_certificates_that_are_none_are_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rather than an error at the first request."""
    (tmp_path / "bundle.pem").write_text("-----BEGIN CERTIFICATE-----\nnot base 64!\n-----END CERTIFICATE-----\n")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "bundle.pem"))

    with pytest.raises(UserError, match="cannot be used"):
        open_bucket("bucket", "eu-west-1")


def test_no_credentials_are_a_sentence_and_are_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role's may not be there yet when a container starts."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    opened = Buckets("eu-west-1")
    with pytest.raises(UserError, match="AWS_ACCESS_KEY_ID"):
        opened.store("bucket", "eu-west-1")

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")

    assert "eu-west-1" == opened.store("bucket", "eu-west-1").config["region"]


def test_half_of_a_credential_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 names the other half."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(UserError, match="AWS_SECRET_ACCESS_KEY"):
        open_bucket("bucket", "eu-west-1")


def test_a_bucket_is_opened_once_however_many_threads_ask() -> None:
    """Each has connections of its own."""
    opened = Buckets("eu-west-1")
    stores: list[object] = []
    threads = [threading.Thread(target=lambda: stores.append(opened.store("bucket", "eu-west-1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {id(stores[0])} == {id(store) for store in stores}


def test_the_same_name_in_another_region_is_another_bucket() -> None:
    """It is asked elsewhere."""
    opened = Buckets("eu-west-1")

    assert opened.store("bucket", "eu-west-1") is not opened.store("bucket", "eu-west-2")


def test_only_so_many_buckets_stay_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes notifications can name as many as they like."""
    monkeypatch.setattr(buckets, "open_bucket", lambda bucket, region, **_: object())
    opened = Buckets("eu-west-1")
    first = opened.store("first", "eu-west-1")
    for number in range(MAX_OPEN):
        opened.store(f"bucket-{number}", "eu-west-1")

    assert MAX_OPEN == len(opened._open)
    assert first is not opened.store("first", "eu-west-1")


def test_where_a_bucket_was_found_counts_more_than_what_its_notification_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """S3 itself said so."""
    opened = Buckets("eu-west-1")
    before = [opened.region("bucket"), opened.region("bucket", "eu-west-2")]
    monkeypatch.setattr(buckets, "find_region", lambda bucket, region, **_: "eu-west-3")

    assert opened.is_elsewhere("bucket", "eu-west-2")

    assert ["eu-west-1", "eu-west-2"] == before
    assert ["eu-west-3"] * 2 == [opened.region("bucket"), opened.region("bucket", "eu-west-2")]
    assert not opened.is_elsewhere("bucket", "eu-west-3")


def test_only_so_many_moved_buckets_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same."""
    monkeypatch.setattr(buckets, "find_region", lambda bucket, region, **_: "eu-west-3")
    opened = Buckets("eu-west-1")
    for number in range(3 * MAX_OPEN):
        opened.is_elsewhere(f"bucket-{number}", "eu-west-1")

    assert len(opened._found) <= MAX_OPEN


def test_a_made_up_region_is_not_believed() -> None:
    """Each would cost a session and clients for the life of the process; anybody may write a notification."""
    opened = Buckets("eu-central-1")

    assert ["eu-central-1"] * 2 == [opened.region("bucket", "made-up-1"), opened.region("bucket")]
    assert "ap-south-1" == opened.region("bucket", "ap-south-1")
