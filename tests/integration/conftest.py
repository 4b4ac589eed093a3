"""The stand-in for AWS: a real server, since obstore sends its requests from where no mock of Python's reaches."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import pytest
from beside import MissingError
from local_postgres import find_programs

from tests.integration.jobs import BLOCKS, REGION, Place, a_pool
from tests.moto_server import MotoServer
from tests.ports import a_free_port
from tests.prism import prism_location
from transforms import aws as transforms_aws

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.command import Command
    from tests.raw_server import RawServer


def forget_clients() -> None:
    """Make the next session and client read the environment again."""
    transforms_aws._session.cache_clear()
    transforms_aws._client.cache_clear()


def need_postgres() -> None:
    """Skip a test at a desk without PostgreSQL; in CI it must be there."""
    try:
        find_programs()
    except MissingError as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))


@pytest.fixture(scope="package")
def aws() -> Iterator[str]:
    """Serve SQS and S3 and point what reads AWS's usual settings at it, for the tests of this folder; its URL."""
    server = MotoServer()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        forget_clients()
        yield server.url
    forget_clients()
    server.stop()


@pytest.fixture
def bucket(aws: str) -> str:
    """Make a bucket of this test's own."""
    name = f"bucket-{uuid.uuid4()}"
    transforms_aws.client("s3", REGION).create_bucket(Bucket=name)
    return name


@pytest.fixture
def aws_environment(aws: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Let one test change what boto3 reads; nothing that was read before counts in it, or after it."""
    forget_clients()
    yield monkeypatch
    forget_clients()


@pytest.fixture
def environment(aws_environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let one test say how AWS is reached: it begins without proxies and certificates."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        aws_environment.delenv(name, raising=False)
        aws_environment.delenv(name.lower(), raising=False)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        aws_environment.delenv(name, raising=False)
    return aws_environment


@pytest.fixture
def serve_s3(aws_environment: pytest.MonkeyPatch) -> Callable[[RawServer], None]:
    """Send this test's requests for S3 to a server of its own."""
    return lambda server: aws_environment.setenv("AWS_ENDPOINT_URL_S3", server.url)


@pytest.fixture
def place(bucket: str) -> Place:
    """Make a queue beside this test's bucket; nobody notifies it yet."""
    return Place(bucket, transforms_aws.client("sqs", REGION).create_queue(QueueName=bucket)["QueueUrl"])


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    """Make the file that `BLOCKS` waits for, and its module."""
    (tmp_path / "blocks.py").write_text(BLOCKS)
    os.mkfifo(tmp_path / "fifo")
    return tmp_path / "fifo"


@pytest.fixture(scope="session")
def prism() -> Path:
    """Answer Prism's binary."""
    return prism_location()


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[tuple[Command, int]]:
    """Have a pool for one test; whatever it started ends with it."""
    started, port = a_pool(tmp_path)
    with started:
        yield started, port


@pytest.fixture
def port() -> int:
    """Find one that nobody uses."""
    return a_free_port()
