"""Prism, Beam's portable runner in Go, built once from the Go module of the very Beam that is installed."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import apache_beam
import pytest

VARIABLE = "PRISM_LOCATION"
"""Names a binary to use instead."""


def prism_location() -> Path:
    """Answer where it is; build it if it is not yet. Without Go a desk skips the test, and CI fails it."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = caches / "sqs-pipeline" / f"prism-{apache_beam.__version__}-{platform.machine()}"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with (kept.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the other processes of pytest wait: one build takes all cores
            if not kept.exists():
                _build(kept)
    return kept


def _build(kept: Path) -> None:
    go = shutil.which("go")
    if go is None:
        _cannot(f"there is no Go to build Prism with, and {VARIABLE} names none")
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        module = f"github.com/apache/beam/sdks/v2/go/cmd/prism@v{apache_beam.__version__}"
        built = subprocess.run(
            [go, "install", module], env={**os.environ, "GOBIN": folder}, capture_output=True, text=True, check=False
        )
        if built.returncode:
            _cannot(f"Prism cannot be built: {built.stderr[-500:]}")
        (Path(folder) / "prism").replace(kept)  # at once: whoever looks sees all of it, or nothing


def _cannot(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
