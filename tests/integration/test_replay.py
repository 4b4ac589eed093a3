"""A replay as its users start it: files in, files out, the same every time, and nobody asked."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.builders import a_notification
from tests.command import Command
from tests.shell import run_program

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
RECORDING = ROOT / "tests" / "replay"
END_S = 60
ASKS_NOBODY = """
import os, sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        sys.stderr.write(f"asked {event} {arguments}\\n")
        os._exit(99)

sys.addaudithook(refuse)
"""
"""A `sitecustomize` that ends a process which begins to talk to anybody: a queue, S3, or who has credentials."""
FAILS_FIRST = """
failed = set()

def once(content):
    if content.ref.key not in failed:
        failed.add(content.ref.key)
        raise ValueError("the first time")
    return {"bytes": len(content.read())}

def always(content):
    raise ValueError("every time")

def waits(content):
    open("begun", "w").close()
    open("fifo").read()
    return {}
"""


def a_replay(directory: Path, *options: str, **environment: str) -> Command:
    """Start a replay of `directory`/*.jsonl with its objects into `directory`/output."""
    arguments = ["--runner=DirectRunner", "--replay=*.jsonl", "--objects=objects", *options]
    return Command(*arguments, cwd=directory, environment=environment)


def a_recording(directory: Path, *lines: str, keys: Iterable[str] = ("a",)) -> None:
    """Record some lines, and an object for each key."""
    (directory / "recording.jsonl").write_text("".join(f"{line}\n" for line in lines))
    (directory / "mine.py").write_text(FAILS_FIRST)
    bucket = directory / "objects" / "source-bucket"
    bucket.mkdir(parents=True)
    for key in keys:
        (bucket / key).write_bytes(b"one\ntwo\n")


def the_files(directory: Path) -> dict[str, str]:
    """Answer the digest of each file."""
    files = (path for path in sorted(directory.rglob("*")) if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def the_summary(job: Command) -> str:
    """Answer the balance that the job ends with."""
    (line,) = job.lines_with("stopped: ")
    return line.partition("stopped: ")[2]


def test_the_committed_recording_gives_the_expected_files_and_asks_nobody(tmp_path: Path) -> None:
    """Twice the same bytes; without a queue, a network, credentials or a configuration of AWS."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(ASKS_NOBODY)
    paths = os.pathsep.join([str(tmp_path / "site"), str(ROOT)])
    environment = {"PYTHONPATH": paths, "AWS_PROFILE": "nobody", "AWS_CONFIG_FILE": os.devnull, "SQS_QUEUE_URL": ""}
    options = ["--runner=direct", "--replay=tests/replay/*.jsonl", "--objects=tests/replay/objects"]
    for output in (tmp_path / "one", tmp_path / "two"):
        arguments = [*options, f"--output={output}", "--processed_at=2026-01-15T09:10:02Z"]
        with Command(*arguments, cwd=ROOT, environment=environment) as job:
            assert job.wait(END_S) == 0, str(job)
        assert the_summary(job) == "12 received = 7 stored + 2 ignored + 3 set aside + 0 returned"
        assert the_files(RECORDING / "expected") == the_files(output)


def test_the_script_for_ci_compares_with_what_is_expected(tmp_path: Path) -> None:
    """It passes on the committed recording; it fails where a file differs, until that is accepted."""
    shutil.copytree(RECORDING, tmp_path / "tests" / "replay")

    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "PYTHONPATH": str(ROOT)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run_program([tmp_path / "tests" / "replay" / "check.sh", *arguments], environment=environment)

    (tmp_path / "tests" / "replay" / "objects" / "acme-logs" / "orders" / "empty.jsonl").write_text("more\n")
    changed = run()
    accepted = run("--accept")
    again = run()

    assert changed.returncode == 1
    assert "diff -r tests/replay/expected" in changed.stdout
    assert (0, 0, "as expected: 11 files") == (accepted.returncode, again.returncode, again.stdout.strip())


def test_what_must_be_retried_is_retried_by_the_replay_itself(tmp_path: Path) -> None:
    """After the same delays, and the job ends only then; a function that fails once is no failure of the replay."""
    a_recording(tmp_path, a_notification("a", "b"), a_notification("c"), keys="abc")
    with a_replay(tmp_path, "--processor=mine:once", "--retry_base_s=1", "--strict") as job:
        assert job.wait(END_S) == 0, str(job)

    assert ["a", "b", "c"] == [path.name[0] for path in sorted((tmp_path / "output" / "source-bucket").iterdir())]
    assert job.lines_with("for 1 s (processor_error")
    assert " received = 2 stored + 0 ignored + 0 set aside + " in the_summary(job)


def test_what_fails_every_time_is_set_aside_and_a_strict_replay_fails(tmp_path: Path) -> None:
    """At --give_up_after receives; a result of the last replay excuses nothing."""
    a_recording(tmp_path, a_notification("a"), "poison")
    with a_replay(tmp_path) as job:
        assert job.wait(END_S) == 0, str(job)
    arguments = ["--processor=mine:always", "--retry_base_s=1", "--give_up_after=2", "--strict"]
    with a_replay(tmp_path, *arguments) as job:
        assert job.wait(END_S) == 1, str(job)

    letters = (tmp_path / "output" / "_dead_letters").glob("*.json")
    found = {(letter["kind"], letter["receive_count"]) for letter in (json.loads(path.read_text()) for path in letters)}
    assert {("processor_error", 2), ("unreadable_notification", 1)} == found
    assert job.lines_with("--strict fails the job: 2 set aside")
    assert the_summary(job) == "3 received = 0 stored + 0 ignored + 2 set aside + 1 returned"


@pytest.mark.parametrize("content", ["", "\ufeff\r\n\r\n"])
def test_an_empty_recording_ends_at_once(tmp_path: Path, content: str) -> None:
    """A quiet hour was recorded."""
    a_recording(tmp_path)
    (tmp_path / "recording.jsonl").write_text(content)
    with a_replay(tmp_path) as job:
        assert job.wait(END_S) == 0, str(job)

    assert the_summary(job) == "0 received = 0 stored + 0 ignored + 0 set aside + 0 returned"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--replay=typo"], "--replay is typo, and there is no such file"),
        (["--objects=typo"], "--objects is typo, and there is no such directory"),
        (["--drain"], "--drain is true and --replay is *.jsonl; a replay reads files"),
    ],
)
def test_what_cannot_be_replayed_is_refused_in_a_sentence(tmp_path: Path, options: list[str], sentence: str) -> None:
    """Exit code 2, and no traceback."""
    a_recording(tmp_path, "poison")
    with a_replay(tmp_path, *options) as job:
        assert job.wait(END_S) == 2, str(job)

    assert len(job.lines_with(sentence)) == len(job.log) == 1


def test_a_replay_that_is_asked_to_stop_stops_and_a_strict_one_says_that_it_left_something(tmp_path: Path) -> None:
    """Whoever compares its output must know."""
    os.mkfifo(tmp_path / "fifo")
    a_recording(tmp_path, *[a_notification("a")] * 3)
    arguments = ["--processor=mine:waits", "--drain_timeout_s=1", "--process_concurrency=2", "--strict"]
    with a_replay(tmp_path, *arguments) as job:
        job.wait_for_line("fetched ", times=2)
        job.signal(signal.SIGTERM)
        assert job.wait(END_S) == 1, str(job)

    assert job.lines_with("--strict fails the job: 0 set aside, and some left")
    assert the_summary(job) == "3 received = 0 stored + 0 ignored + 0 set aside + 3 returned"
