"""Runs the job as a process of its own, shows what it says, and never leaves it behind."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from terminal import say

if TYPE_CHECKING:
    from pathlib import Path

STOP_S = 10
"""How long the job may take to end when asked; then it is killed."""


def run_job(command: list[str], directory: Path, environment: dict[str, str]) -> int:
    """Run `command`, show its output line by line, and answer its exit code."""
    # A session of its own: Ctrl-C reaches us alone, and we ask it to stop exactly once.
    job = subprocess.Popen(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        for line in job.stdout or ():
            say(line.rstrip())
        return job.wait()
    finally:
        _end(job)


def _end(job: subprocess.Popen[str]) -> None:
    if job.poll() is not None:
        return
    job.terminate()
    try:
        job.communicate(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        job.kill()
        job.wait()
