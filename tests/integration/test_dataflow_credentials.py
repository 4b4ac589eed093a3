"""The program of docs/dataflow.md that gives Google's machines credentials of AWS, with stand-ins for both."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.markdown import Page, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Page(Path(__file__).resolve().parents[2] / "docs" / "dataflow.md")
GOOGLE = "http://metadata.google.internal"


@pytest.fixture
def google() -> Iterator[str]:
    """Serve the identity of a machine, as Google's metadata server does; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            expected = "/computeMetadata/v1/instance/service-accounts/default/identity?audience=sqs-pipeline"
            is_right = (expected, "Google") == (self.path, self.headers["Metadata-Flavor"])
            self.send_response(200 if is_right else 403)
            self.end_headers()
            self.wfile.write(b"header.payload.signature")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_boto3_gets_credentials_that_expire_through_the_program_on_the_page(
    aws: str, google: str, tmp_path: Path
) -> None:
    """It is started by its configuration, and does not start itself."""
    (program,) = blocks(PAGE.text, "python")
    (config,) = blocks(PAGE.text, "ini")
    (tmp_path / "google_to_aws.py").write_text(program.replace(GOOGLE, google))
    (tmp_path / "config").write_text(
        config.replace("/app/google_to_aws.py", f"{tmp_path}/google_to_aws.py").replace(
            " python ", f" {sys.executable} "
        )
    )
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"AWS_ENDPOINT_URL_STS": aws, "AWS_CONFIG_FILE": str(tmp_path / "config"), "NO_PROXY": "127.0.0.1"}
    asks = (
        "import boto3; made = boto3.Session().get_credentials(); print(made.access_key, made.method, made._expiry_time)"
    )

    done = subprocess.run(
        [sys.executable, "-c", asks], env=environment, capture_output=True, text=True, timeout=60, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)
    key, method, expires = done.stdout.split(maxsplit=2)
    assert ("ASIA", "custom-process") == (key[:4], method)
    assert expires != "None\n"
