"""Programs as somebody at a terminal runs them; the commands of a page with the AWS CLI pointed at the stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
    bash = ["bash", "-c", POINT_THE_CLI_AT_THE_STAND_IN + commands]  # whichever the reader has
    done = run_program(bash, cwd=directory, environment=others | ours)
    assert 0 == done.returncode, done.stdout


def run_program(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; its `stdout` is what a terminal would show, both streams in one."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
