"""A stop ends in time, whatever the user's function does."""

from __future__ import annotations

import subprocess
import sys
import threading

from pipeline.drain_timeout import watch

HANGS = """
import logging, threading
from pipeline import drain_timeout
from pipeline.worker import Worker
from transforms.stopping import STOP

logging.basicConfig(level="INFO", format="%(message)s")
drain_timeout.GRACE_S = 0
worker = Worker(1, 1, -1, 1)
drain_timeout.watch(STOP, drain_timeout_s=0.01, ended=threading.Event(), worker=worker, strict=STRICT)
STOP.set()
threading.Event().wait()  # as a function does that never returns
"""


def test_a_function_that_does_not_return_does_not_keep_a_stopped_job_alive() -> None:
    """It was asked to stop and nothing is lost, so the exit code is 0; the account is told."""
    run = _run(strict=False)

    assert 0 == run.returncode
    assert '{"counts": {}}\n' == run.stdout  # for the supervisor, where there is one
    assert [
        "work is still in hand after --drain_timeout_s of 0.01 s; its messages come back",
        "stopped: 0 received = 0 stored + 0 ignored + 0 set aside + 0 returned",
    ] == run.stderr.splitlines()


def test_a_strict_job_that_leaves_work_behind_is_exit_code_1() -> None:
    """Whoever started it must not believe that all is done."""
    run = _run(strict=True)

    assert 1 == run.returncode
    assert "--strict fails the job: some left" == run.stderr.splitlines()[-2]


def _run(*, strict: bool) -> subprocess.CompletedProcess[str]:
    program = HANGS.replace("STRICT", str(strict))
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)


def test_a_job_that_ends_in_time_is_left_alone() -> None:
    """Or every stop would end by force."""
    stop, ended = threading.Event(), threading.Event()
    others = set(threading.enumerate())
    watch(stop, drain_timeout_s=600, ended=ended)
    (watcher,) = set(threading.enumerate()) - others

    stop.set()
    ended.set()
    watcher.join(10)

    assert not watcher.is_alive()
