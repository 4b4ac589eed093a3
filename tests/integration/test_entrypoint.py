"""What the image runs, without an image: its entry script, and the wheel made of what the Dockerfile copies."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import a_notification
from tests.command import Command, until
from tests.integration.conftest import REGION
from transforms import aws as transforms_aws

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
ENTRYPOINT = ROOT / "deploy" / "docker" / "entrypoint.sh"
LONG_S = 120.0
PROCESSOR = """
import pipeline

def where(content):
    print("x" * 200_000)  # more than a pipe holds
    return {"bytes": len(content.read()), "job": pipeline.__file__}
"""


@dataclass(frozen=True, slots=True)
class Image:
    """The two places of an image that matter: where the wheel is installed, and where the user's modules go."""

    site: Path
    app: Path

    def environment(self, **more: str) -> dict[str, str]:
        """Answer what the Dockerfile sets, and `more`."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "PYTHONPATH": f"{self.app}{os.pathsep}{self.site}", **more}

    def start(self, *arguments: str, **environment: str) -> Command:
        """Start a container, as it were."""
        return Command(*arguments, cwd=self.app, environment=self.environment(**environment), program=[str(ENTRYPOINT)])

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        return subprocess.run(
            [ENTRYPOINT, *arguments],
            cwd=self.app,
            env={**os.environ, **self.environment(**environment)},
            capture_output=True,
            text=True,
            timeout=LONG_S,
            check=False,
        )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from what the Dockerfile copies, and install it, as it does; the dependencies are there."""
    source, site = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    first_stage, _, _ = (ROOT / "Dockerfile").read_text().partition("\nRUN ")
    for line in re.findall(r"^COPY (.*)$", first_stage, re.MULTILINE):
        *names, _ = line.split()
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--no-index"]
    subprocess.run([*pip, "--no-build-isolation", f"--target={site}", str(source)], check=True, timeout=LONG_S)
    return site


@pytest.fixture
def image(site: Path, tmp_path: Path) -> Image:
    """Make a container's file system, with the user's module in it."""
    (tmp_path / "mine.py").write_text(PROCESSOR)
    return Image(site, tmp_path)


@pytest.fixture
def queue_url(aws: str) -> str:
    """Make a queue."""
    return str(transforms_aws.client("sqs", REGION).create_queue(QueueName=f"queue-{uuid.uuid4()}")["QueueUrl"])


def _upload(bucket: str, queue_url: str, *keys: str) -> None:
    for key in keys:
        transforms_aws.client("s3", REGION).put_object(Bucket=bucket, Key=key, Body=b"one\ntwo\n")
        body = a_notification(key, bucket=bucket, etag=None, size=None)
        transforms_aws.client("sqs", REGION).send_message(QueueUrl=queue_url, MessageBody=body)


def _results(output: Path, bucket: str) -> list[tuple[int, str]]:
    documents = [json.loads(path.read_text()) for path in (output / bucket).glob("*.json")]
    return [(document["bytes"], document["job"]) for document in documents]


def test_without_arguments_a_container_runs_the_job_on_the_queue_that_its_environment_names(
    image: Image, bucket: str, queue_url: str
) -> None:
    """From the installed wheel, with the user's module out of /app."""
    _upload(bucket, queue_url, "a", "b")
    of_the_job = {"OUTPUT": "results", "PROCESSOR": "mine:where", "DRAIN": "true", "IDLE_S": "1", "WAIT_TIME_S": "1"}
    environment = {f"SQS_PIPELINE_{name}": value for name, value in of_the_job.items()}

    with image.start(SQS_QUEUE_URL=queue_url, **environment) as job:
        assert 0 == job.wait(LONG_S), str(job)

    assert [(8, str(image.site / "pipeline" / "__init__.py"))] * 2 == _results(image.app / "results", bucket)


def test_a_container_that_is_stopped_ends_with_the_jobs_exit_code(image: Image, bucket: str, queue_url: str) -> None:
    """The script is gone: the signal reaches the supervisor itself."""
    _upload(bucket, queue_url, "a")
    with image.start("--wait_time_s=1", SQS_QUEUE_URL=queue_url) as job:
        job.wait_for_line("stored")
        program = Path(f"/proc/{job.pid}/cmdline").read_text().split("\0")
        job.signal(signal.SIGTERM)

        assert 0 == job.wait(LONG_S), str(job)
    assert ["python", "-m", "pipeline"] == program[:3]


def test_what_cannot_start_ends_with_2(image: Image) -> None:
    """The sentence and the code are the job's."""
    done = image.run(SQS_QUEUE_URL="")

    assert 2 == done.returncode
    assert "sqs-pipeline: There is no queue to read: set --queue_url or SQS_QUEUE_URL\n" == done.stderr


@pytest.mark.parametrize("command", ["redrive", "dead_letters"])
def test_the_jobs_commands_are_those_of_the_image(image: Image, command: str) -> None:
    """By their names."""
    done = image.run(command, "--help")

    assert 0 == done.returncode
    assert done.stdout.startswith(f"usage: python -m pipeline {command} ")


# ── a worker pool


def test_a_worker_pool_runs_the_users_function_and_ends_with_its_workers(
    image: Image, bucket: str, queue_url: str, port: int
) -> None:
    """For a job that is submitted elsewhere; a function that prints much is not held up, since somebody reads it."""
    _upload(bucket, queue_url, "a", "b", "c")
    submitted = (
        *("--runner=PortableRunner", "--job_endpoint=embed", "--checkpointing_interval=9000"),
        *("--environment_type=EXTERNAL", f"--environment_config=localhost:{port}"),
        *("--processor=mine:where", "--output=results", "--shared_output", "--drain", "--idle_s=1", "--wait_time_s=1"),
    )
    with image.start("worker-pool", f"--port={port}") as pool, _ended(pool):
        assert until(lambda: 0 == image.run("health", str(port)).returncode, LONG_S), str(pool)

        with image.start(*submitted, SQS_QUEUE_URL=queue_url) as job:
            assert 0 == job.wait(LONG_S), f"{job}\n{pool}"

        pool.signal(signal.SIGTERM)
        assert 0 == pool.wait(LONG_S), str(pool)
        assert until(lambda: _is_gone(pool.pid), LONG_S)

    assert [(8, str(image.site / "pipeline" / "__init__.py"))] * 3 == _results(image.app / "results", bucket)
    assert pool.lines_with("started worker")


@contextmanager
def _ended(pool: Command) -> Iterator[None]:
    """Leave no worker behind, whatever the test finds."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            pool.kill_group()


def _is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


# ── health


@pytest.fixture
def healthz() -> Iterator[HTTPServer]:
    """Serve what the job says of itself; `answer` is the next answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, sentence = (200, "ok\n") if self.path == "/healthz" else (404, "no such page\n")
            if self.path == "/healthz" and getattr(self.server, "is_ill", False):
                status, sentence = 503, "nothing moved for 90 s\n"
            self.send_response(status)
            self.end_headers()
            self.wfile.write(sentence.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.mark.parametrize(("is_ill", "expected"), [(False, (0, "ok\n")), (True, (1, "nothing moved for 90 s\n"))])
def test_a_container_is_as_well_as_its_job_says(
    image: Image,
    healthz: HTTPServer,
    is_ill: bool,  # noqa: FBT001
    expected: tuple[int, str],
) -> None:
    """The sentence is seen in `docker inspect`. A proxy is not asked."""
    healthz.is_ill = is_ill  # type: ignore[attr-defined]
    done = image.run(
        "health", SQS_PIPELINE_METRICS_PORT=str(healthz.server_port), http_proxy="http://127.0.0.1:9", no_proxy=""
    )

    assert expected == (done.returncode, done.stdout)


def test_a_container_whose_job_does_not_answer_is_ill(image: Image, port: int) -> None:
    """Nobody listens."""
    done = image.run("health", SQS_PIPELINE_METRICS_PORT=str(port))

    assert (1, "no answer: ") == (done.returncode, done.stderr[: len("no answer: ")])


def test_a_container_without_metrics_is_well_while_its_process_is_there(image: Image) -> None:
    """Nobody can be asked."""
    assert [0, 0] == [image.run("health", SQS_PIPELINE_METRICS_PORT=port).returncode for port in ("", "0")]
