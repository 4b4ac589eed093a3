"""Who takes part: each is a command line, given how many messages there are and where results go."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[[int, str], list[str]]

JOB = "the job"
LIMIT = "obstore + isal loop"
BOTO3 = "boto3 loop"
GO = "Go"
GO_SOURCE = Path(__file__).parent / "go_loop"
BUILD_S = 900


def job(*options: str) -> Command:
    """The job in one process without a supervisor, to the last message, unless `options` say otherwise."""

    def command(count: int, output: str) -> list[str]:
        how = options or ("--pipelines=0", f"--max_messages={count}")
        return [sys.executable, "-m", "pipeline", "--runner=DirectRunner", f"--output={output}", *how]

    return command


def loop(module: str) -> Command:
    """A loop of this folder."""
    return lambda count, output: [sys.executable, "-m", f"benchmarks.{module}", str(count), output]


def go_loop(directory: Path) -> Command | str:
    """Build the Go program in `directory`; a sentence if that is not possible here."""
    go = shutil.which("go")
    if go is None:
        return "Go is left out: there is no go command here."
    program = directory / "go_loop"
    build = [go, "build", "-trimpath", "-o", str(program), "."]
    try:
        done = subprocess.run(build, cwd=GO_SOURCE, capture_output=True, text=True, timeout=BUILD_S, check=False)
    except subprocess.TimeoutExpired:
        return f"Go is left out: its program was not built in {BUILD_S} seconds."
    if done.returncode:
        said = " ".join(done.stderr.split())
        return f"Go is left out: its program cannot be built ({said[:300]})."
    return lambda count, output: [str(program), str(count), output]
