"""The commands of a page, run in bash as a reader types them, with the AWS CLI pointed at the stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

POINT_THE_CLI_AT_THE_STAND_IN = """
set -euo pipefail
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
"""
"""Version 1 of the AWS CLI ignores `AWS_ENDPOINT_URL` for SQS."""


def run(commands: str, directory: Path, endpoint: str) -> None:
    """Run them with nothing of this shell's AWS; what they printed is shown if they fail."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SQS_"))}
    ours = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_PAGER": "",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }
    done = subprocess.run(
        ["bash", "-c", POINT_THE_CLI_AT_THE_STAND_IN + commands],  # noqa: S607 - whichever bash the reader has
        cwd=directory,
        env=others | ours,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stdout
