"""Workers that crash start again, workers that are asked to stop do, and none outlives its supervisor.

The workers are small scripts; they signal their parent where a test needs a signal, since the parent is busy with them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline import supervised
from pipeline import worker as worker_module
from pipeline.supervisor import GRACE_S, Supervisor
from pipeline.worker import VARIABLE, Worker
from transforms.events import EVENTS
from transforms.processing_timeout import HUNG_EXIT_CODE

if TYPE_CHECKING:
    from pathlib import Path

WORKER = """
import os, signal, sys, threading
from pathlib import Path
from pipeline.worker import Worker
from transforms.events import EVENTS
from transforms.processing_timeout import HUNG_EXIT_CODE

worker, stop = Worker.of(os.environ), threading.Event()
lives = Path(f"lives-{worker.number}")
with lives.open("a") as file:
    file.write("x")
life = len(lives.read_text())

def end(code=0):
    EVENTS.received(life)
    EVENTS.count("stored", life)
    worker.ended()
    sys.exit(code)

def ask(number=signal.SIGTERM):
    os.kill(os.getppid(), number)
"""
RUNS_UNTIL_STOPPED = "worker.started(stop); stop.wait(); end()"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers leave their traces in a directory of the test's, and restarts do not wait."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(supervised, "FIRST_WAIT_S", 0.001)


def _command(script: str) -> list[str]:
    return [sys.executable, "-c", WORKER + script]


def _run(script: str, *, pipelines: int = 1, is_bounded: bool = False, drain_timeout_s: float = 60) -> int:
    return Supervisor(_command(script), pipelines, is_bounded=is_bounded, drain_timeout_s=drain_timeout_s).run()


def _lives(tmp_path: Path) -> dict[str, int]:
    return {path.name: len(path.read_text()) for path in sorted(tmp_path.glob("lives-*"))}


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the supervisor logged."""
    caplog.set_level("INFO", "pipeline.supervisor")
    return caplog


def test_a_drain_ends_when_every_pipeline_has_ended(tmp_path: Path, told: pytest.LogCaptureFixture) -> None:
    """One summary adds theirs up."""
    assert 0 == _run("worker.started(stop); end()", pipelines=3, is_bounded=True)
    assert {"lives-1": 1, "lives-2": 1, "lives-3": 1} == _lives(tmp_path)
    assert ["stopped: 3 received = 3 stored + 0 ignored + 0 set aside + 0 returned"] == told.messages


def test_one_pipeline_that_did_not_crash_sums_up_for_itself(told: pytest.LogCaptureFixture) -> None:
    """A second summary would say the same."""
    assert 0 == _run("worker.started(stop); end()", is_bounded=True)
    assert [] == told.messages


@pytest.mark.parametrize("crash", ["os._exit(0)", "os._exit(1)", "os._exit(2)", "os.kill(os.getpid(), 9)"])
def test_an_exit_that_nobody_asked_for_is_a_crash_whatever_its_code(
    crash: str, tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    """It starts again, and the account of the second life is told with the crash."""
    script = f"worker.started(stop)\nif life == 1: {crash}\nask(); stop.wait(); end()"

    assert 0 == _run(script)
    assert {"lives-1": 2} == _lives(tmp_path)
    assert "it starts again in 0.001 s" in told.messages[0]
    assert (
        "stopped: 2 received = 2 stored + 0 ignored + 0 set aside + 0 returned; 1 crashed, what they held comes "
        "back by itself"
    ) == told.messages[-1]


def test_only_the_pipeline_that_crashed_starts_again(tmp_path: Path) -> None:
    """The others do not notice."""
    script = "worker.started(stop)\nif worker.number == 2 and life == 1: os._exit(70)\nend()"

    assert 0 == _run(script, pipelines=3, is_bounded=True)
    assert {"lives-1": 1, "lives-2": 2, "lives-3": 1} == _lives(tmp_path)


def test_a_job_that_failed_in_a_drain_is_not_repeated(tmp_path: Path) -> None:
    """Its exit code is the whole job's, and the others come to their ends."""
    script = "worker.started(stop); end(1 if worker.number == 1 else 0)"

    assert 1 == _run(script, pipelines=2, is_bounded=True)
    assert {"lives-1": 1, "lives-2": 1} == _lives(tmp_path)


def test_what_refuses_the_first_pipeline_refuses_the_job(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], told: pytest.LogCaptureFixture
) -> None:
    """Its sentence is told once, because the others have not started."""
    assert 2 == _run("print('no such queue', file=sys.stderr); sys.exit(2)", pipelines=4)
    assert {"lives-1": 1} == _lives(tmp_path)
    assert "no such queue\n" == capfd.readouterr().err
    assert [] == told.messages


def test_crashes_one_after_the_other_end_the_job_and_stop_the_others(
    tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    """Six in a minute; the exit code says that it failed."""
    script = "worker.started(stop)\nif worker.number == 1: os._exit(70)\nstop.wait(); end()"

    assert 1 == _run(script, pipelines=2)
    assert supervised.RESTARTS + 1 == _lives(tmp_path)["lives-1"]
    assert "pipeline 1 crashed (exit code 70), more than 5 times in 60 s: the job ends" in told.messages


def test_the_limit_is_reached_before_its_period_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by workers that need seconds to start: the waits, and five seconds for each life."""
    monkeypatch.undo()
    pipeline = supervised.Supervised(1, 1)

    waits = [pipeline.crashed() for _ in range(supervised.RESTARTS + 1)]

    assert [0.5, 1, 2, 4, 5, None] == waits
    assert sum(wait for wait in waits if wait) + 5 * supervised.RESTARTS < supervised.PERIOD_S


def test_crashes_long_ago_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """One crash an hour may go on for ever, with the shortest wait."""
    pipeline = supervised.Supervised(1, 1)
    hours = iter(range(0, 36_000, 3600))
    monkeypatch.setattr(supervised.time, "monotonic", lambda: next(hours))

    assert {0.001} == {pipeline.crashed() for _ in range(10)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_every_pipeline_to_stop(
    number: signal.Signals, tmp_path: Path, told: pytest.LogCaptureFixture
) -> None:
    """Those that run finish what they hold."""
    script = f"""
worker.started(stop)
Path(f"up-{{worker.number}}").touch()
while worker.number == 3 and len(list(Path().glob("up-*"))) < 3:
    stop.wait(0.01)
if worker.number == 3:
    ask({number:d})
stop.wait()
end()
"""

    assert 0 == _run(script, pipelines=3)
    assert "stopped: 3 received" in told.messages[-1]


@pytest.mark.parametrize(("code", "expected"), [(HUNG_EXIT_CODE, 0), (1, 1), (3, 1)])
def test_a_function_that_hangs_does_not_fail_a_stop(code: int, expected: int, told: pytest.LogCaptureFixture) -> None:
    """Its worker has settled what hung, and a stop may leave what is in hand; any other end of one is a failure."""
    assert expected == _run(f"worker.started(stop); ask(); stop.wait(); os._exit({code})")
    assert expected == 1 or "1 crashed, what they held comes back by itself" in told.messages[-1]


def test_a_pipeline_that_has_not_started_is_simply_ended(told: pytest.LogCaptureFixture) -> None:
    """It holds nothing, so nothing failed."""
    assert 0 == _run("ask(); threading.Event().wait()")
    assert [] == told.messages


def test_a_pipeline_that_waits_for_its_restart_does_not_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop in between ends the job at once; what crashed before was a crash, not a failed stop."""

    def wait_for_ever(pipeline: supervised.Supervised) -> float:
        os.kill(os.getpid(), signal.SIGTERM)
        pipeline.due_at = float("inf")
        return pipeline.due_at

    monkeypatch.setattr(supervised.Supervised, "crashed", wait_for_ever)

    assert 0 == _run("worker.started(stop); os._exit(70)")
    assert {"lives-1": 1} == _lives(tmp_path)


def test_a_second_signal_leaves_at_once(told: pytest.LogCaptureFixture) -> None:
    """Whatever the worker does."""
    assert 143 == _run("worker.started(stop); ask(); stop.wait(); ask(); threading.Event().wait()")
    assert "pipeline 1 is left at once; what it holds comes back by itself" in told.messages


def test_a_pipeline_that_does_not_stop_is_killed(told: pytest.LogCaptureFixture) -> None:
    """A native call that keeps Python's lock keeps it from leaving by itself."""
    assert 1 == _run("worker.started(stop); ask(); threading.Event().wait()", drain_timeout_s=0.01 - GRACE_S)
    assert "pipeline 1 does not stop; what it holds comes back by itself" in told.messages


def test_ctrl_c_does_not_reach_the_workers_by_itself() -> None:
    """It goes to the whole group of the terminal, and a worker would take it for the second request."""
    assert 0 == _run("worker.started(stop); end(int(os.getpgid(0) != os.getpid()))", is_bounded=True)


def test_signals_are_handled_afterwards_as_before() -> None:
    """Whoever runs a supervisor in a process of their own keeps it."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]

    _run("worker.started(stop); end()", is_bounded=True)

    assert before == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)]


def test_workers_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    """Asked by the end of a pipe, they finish what they hold: here, they close the pipe that this test reads."""
    supervisor = (
        "import sys; from pipeline.supervisor import Supervisor; "
        "Supervisor(sys.argv[1:], 2, is_bounded=False, drain_timeout_s=60).run()"
    )
    worker = f"worker.started(stop)\nprint('started', flush=True)\n{RUNS_UNTIL_STOPPED.partition(';')[2].strip()}"
    process = subprocess.Popen(
        [sys.executable, "-c", supervisor, *_command(worker)], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert ["started\n"] * 2 == [said.readline() for _ in range(2)]

        process.kill()

        assert "" == said.read()
    process.wait()


def test_a_process_is_a_worker_only_if_its_supervisor_says_so() -> None:
    """And what a worker starts is none, though it has the same environment."""
    life, report = os.pipe()
    environ = {VARIABLE: f"2 4 {life} {report}"}

    worker = Worker.of(environ)

    assert Worker(2, 4, life, report) == worker
    assert "2" == worker.name
    assert Worker.of(environ) is None
    os.close(life)
    os.close(report)


def test_a_worker_whose_supervisor_is_dead_keeps_its_account() -> None:
    """It ends as always."""
    life, report = os.pipe()
    os.close(life)

    Worker(1, 1, life, report).ended()

    os.close(report)
    assert {} == EVENTS.counts()


def _observed(script: str, *, pipelines: int = 1) -> Supervisor:
    """Run until the end; what is seen stays."""
    supervisor = Supervisor(_command(script), pipelines, is_bounded=True, drain_timeout_s=60, is_observed=True)
    assert 0 == supervisor.run()
    return supervisor


SAYS = """
from pipeline.snapshots import take_snapshot
from transforms.records import Door
worker.started(stop)
EVENTS.received(10)
for _ in range(4):
    EVENTS.settled(Door.STORED, "stored")
def say(held):
    in_flight = {"messages": held, "bytes": 0, "stages": {}, "oldest": ["x" * size]}
    worker.tell(take_snapshot(lambda: None) | {"in_flight": in_flight})
"""


@pytest.mark.parametrize("size", [1, 300_000], ids=["a line", "a line larger than a pipe"])
def test_a_supervisor_that_is_looked_at_hears_its_workers_all_the_time(size: int) -> None:
    """What a crashed one said last stays, and what it held counts as returned."""
    crash = "if life == 1: say(6); os.kill(os.getpid(), 9)\nend()"
    (view,) = _observed(f"size = {size}\n{SAYS}\n{crash}").look()

    assert (1, "ended", 1) == (view.number, view.state, view.crashes)
    assert {
        "received": 10 + 10 + 2,
        "stored": 4 + 4 + 2,
        "returned": 6,
        "returned/crashed": 6,
    } == dict(view.counts)


def test_every_pipeline_can_be_looked_at(tmp_path: Path) -> None:
    """Each by its number."""
    views = _observed("worker.started(stop); end()", pipelines=2).look()

    assert [(1, {"received": 1, "stored": 1}), (2, {"received": 1, "stored": 1})] == [
        (view.number, dict(view.counts)) for view in views
    ]


def test_a_supervisor_that_does_not_read_keeps_no_worker_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that is being said fills the pipe; the last word is given up after a while."""
    monkeypatch.setattr(worker_module, "_SAY_S", 0.01)
    reports, report = os.pipe()
    with worker_module._saying:
        Worker(1, 1, -1, report).ended()
    os.close(report)

    with os.fdopen(reports) as said:
        assert "" == said.read()
