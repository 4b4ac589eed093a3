"""Starts the stand-in as a process, and talks with it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.sqs_api import QUEUE_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Server:
    """A running stand-in."""

    process: subprocess.Popen[str]
    port: int

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def event(self, name: str) -> tuple[float, float] | None:
        """Wait for an event; answer its time and the stand-in's CPU time at it, or None if the server ended first."""
        for line in self.process.stdout or ():
            words = line.split()
            if words[0] == name:
                return float(words[1]), float(words[2])
        return None

    def stats(self) -> dict[str, float]:
        """What it counted."""
        with urllib.request.urlopen(f"{self.endpoint}/stats", timeout=10) as answer:  # noqa: S310 - our own http:// URL
            counted: dict[str, float] = json.load(answer)
            return counted

    def environment(self) -> dict[str, str]:
        """Answer this shell's environment with the stand-in in the place of any other AWS settings."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SQS_"))}
        return ours | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "SQS_QUEUE_URL": f"{self.endpoint}{QUEUE_PATH}",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }


@contextlib.contextmanager
def stand_in(*options: str) -> Iterator[Server]:
    """Start a fresh stand-in, and stop it."""
    command = [sys.executable, "-m", "benchmarks.stand_in", *options]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        first = process.stdout.readline().split() if process.stdout else []
        if len(first) != 2 or first[0] != "listening":  # noqa: PLR2004 - a word and a port
            raise RuntimeError("the stand-in did not start; what it said is above")
        yield Server(process, int(first[1]))
    finally:
        process.kill()
        process.wait()
