"""One run: how it starts, how it ends, and what is said of it."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

import apache_beam as beam
import pytest
from apache_beam.metrics import Metrics

from pipeline import job
from pipeline.options import RunSettings, Settings
from pipeline.worker import Worker
from tests.builders import QUEUE_URL, RECEIVED_AT, SENT_AT
from transforms import process_wide
from transforms.consumers import GAVE_UP
from transforms.events import EVENTS
from transforms.failures import UserError
from transforms.process_wide import ProcessWide
from transforms.receive_references import SOURCES
from transforms.records import Door, Settled
from transforms.settings import ReceiveSettings, WriteSettings
from transforms.stopping import STOP

if TYPE_CHECKING:
    from collections.abc import Callable

STRICT = Settings(ReceiveSettings(QUEUE_URL, idle_s=20), run=RunSettings(drain=True, strict=True), is_bounded=True)


@pytest.fixture(autouse=True)
def _no_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked, and pytest keeps its signals and its cores."""
    monkeypatch.setattr(job.start_up, "check", lambda settings, outside, **_: None)
    monkeypatch.setattr(job.signals, "install", lambda stop: None)
    monkeypatch.setattr(job.one_core, "keep", lambda number, ended: None)


class _Flow(beam.PTransform):
    """What the real one says: who was settled, and that its source has ended."""

    def __init__(self, settled: list[Settled], *, end: str | None = "ended") -> None:
        super().__init__()
        self._settled, self._end = settled, end

    def expand(self, root: beam.Pipeline) -> beam.PCollection[Settled]:
        settled, end = self._settled, self._end

        def flow(_impulse: bytes) -> list[Settled]:
            if end:
                Metrics.counter(SOURCES, end).inc()
            return settled

        return root | beam.Impulse() | beam.FlatMap(flow)


def _settled(door: Door) -> Settled:
    return Settled(
        message_id="m",
        queue_url=QUEUE_URL,
        door=door,
        records={},
        buckets=(),
        receive_count=1,
        sent_at=SENT_AT,
        received_at=RECEIVED_AT,
        settled_at=RECEIVED_AT,
    )


@pytest.fixture
def ends_as(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put another flow in place of the real one: its messages leave by these doors."""

    def replace_flow(*doors: Door) -> None:
        settled = [_settled(door) for door in doors]
        monkeypatch.setattr(job, "build", lambda root, settings, outside: root | _Flow(settled))

    return replace_flow


def test_a_job_that_ends_is_exit_code_0(ends_as: Callable[..., None]) -> None:
    """Dead letters do not change it."""
    ends_as(Door.STORED, Door.SET_ASIDE)

    assert 0 == job.run(replace(STRICT, run=RunSettings(drain=True)), [])


def test_a_job_that_gave_up_during_an_outage_is_exit_code_1(
    ends_as: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever started it must not believe that the queue is empty."""
    ends_as(Door.RETURNED)
    monkeypatch.setattr(job.EVENTS, "counts", lambda: Counter({GAVE_UP: 1}))

    assert 1 == job.run(replace(STRICT, run=RunSettings(drain=True)), [])


def test_a_job_that_fails_is_exit_code_1_and_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a traceback in the log: this is not the user's mistake."""

    def fail(root: object, settings: object, outside: object) -> NoReturn:
        raise RuntimeError("broken")

    monkeypatch.setattr(job, "build", fail)

    assert 1 == job.run(STRICT, [])
    assert ["broken"] == [str(r.exc_info[1]) for r in caplog.records if r.exc_info and r.message == "the job failed"]


@dataclass
class _Submitted:
    """A job on a cluster."""

    end: str | type[BaseException]

    def __or__(self, _step: object) -> _Submitted:
        return self

    def run(self) -> _Submitted:
        return self

    def wait_until_finish(self) -> str:
        if isinstance(self.end, str):
            return self.end
        raise self.end


@pytest.mark.parametrize(
    ("end", "exit_code", "line"),
    [
        ("CANCELLED", 1, "the job ended as CANCELLED"),
        (KeyboardInterrupt, 130, "left; the job goes on where it runs"),
    ],
)
def test_a_job_on_a_cluster_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    end: str | type[BaseException],
    exit_code: int,
    line: str,
) -> None:
    """It may end otherwise than it should, and it outlives whoever watches it."""
    on_s3 = WriteSettings(output="s3://b/p", dead_letters="s3://b/d")
    settings = Settings(ReceiveSettings(QUEUE_URL), write=on_s3, run=RunSettings(runner="FlinkRunner"))
    monkeypatch.setattr(job.beam, "Pipeline", lambda options: _Submitted(end))
    monkeypatch.setattr(job, "build", lambda root, settings, outside: root)

    assert exit_code == job.run(settings, ["--checkpointing_interval=9000", "--flink_master=host:8081"])
    assert [line] == [record.message for record in caplog.records if record.levelname != "INFO"]


@pytest.mark.parametrize(
    ("doors", "exit_code"),
    [
        ((), 0),
        ((Door.STORED, Door.IGNORED), 0),
        ((Door.RETURNED, Door.STORED), 0),  # a drain waits for what it returned
        ((Door.STORED, Door.SET_ASIDE), 1),
    ],
)
def test_strict_judges_what_was_set_aside(
    ends_as: Callable[..., None], doors: tuple[Door, ...], exit_code: int
) -> None:
    """On every runner, since Beam's metrics come back from wherever the workers are."""
    ends_as(*doors)

    assert exit_code == job.run(STRICT, [])


def test_strict_judges_what_was_left(ends_as: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    """Returned and not waited for, or stopped before the end."""
    ends_as(Door.RETURNED)
    limited = replace(STRICT, receive=ReceiveSettings(QUEUE_URL, max_messages=1))

    assert 1 == job.run(limited, [])
    STOP.set()
    assert 1 == job.run(STRICT, [])
    assert 2 == caplog.messages.count("--strict fails the job: 0 set aside, and some left")


def test_strict_fails_where_nobody_tells_what_became_of_the_messages(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Some runners have no counters; a job that cannot be judged has not passed."""
    monkeypatch.setattr(job, "build", lambda root, settings, outside: root | _Flow([], end=None))

    assert 1 == job.run(STRICT, [])
    assert "--strict fails the job: this runner does not tell what became of the messages" in caplog.messages


@pytest.mark.parametrize(
    ("end", "exit_code", "told"),
    [
        ("ended", 0, "2 stored + 0 ignored + 1 set aside + 0 returned"),
        (GAVE_UP, 1, "2 stored + 0 ignored + 1 set aside + 0 returned"),
        (None, 0, "this runner does not tell what its workers counted"),
    ],
)
def test_workers_elsewhere_are_accounted_for_by_what_they_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, end: str | None, exit_code: int, told: str
) -> None:
    """This process has seen none of their messages; also that an outage did not end comes back so."""
    flow = _Flow([_settled(door) for door in (Door.STORED, Door.SET_ASIDE, Door.STORED)], end=end)
    monkeypatch.setattr(job, "build", lambda root, settings, outside: root | flow)
    here = job.runners.plan(replace(STRICT, run=RunSettings(drain=True)), [])
    monkeypatch.setattr(job.runners, "plan", lambda settings, beam_args: replace(here, workers_here=False))

    with caplog.at_level("INFO", "pipeline.job"):
        assert exit_code == job.run(STRICT, [])

    assert f"stopped: {told}" == caplog.messages[-1]


def test_a_job_that_is_handed_out_here_ends_with_its_submitter(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At once: Beam's own job server would keep the process for ever."""

    class _Left(BaseException):
        pass

    def leave(code: int) -> NoReturn:
        raise _Left(code)

    on_s3 = WriteSettings(output="s3://b/p", dead_letters="s3://b/d")
    settings = Settings(ReceiveSettings(QUEUE_URL), write=on_s3, run=RunSettings(runner="PortableRunner"))
    monkeypatch.setattr(job.beam, "Pipeline", lambda options: _Submitted(KeyboardInterrupt))
    monkeypatch.setattr(job, "build", lambda root, settings, outside: root)
    monkeypatch.setattr(job.os, "_exit", leave)

    with pytest.raises(_Left) as left:
        job.run(settings, ["--job_endpoint=embed", "--environment_type=EXTERNAL"])

    assert (130,) == left.value.args
    assert ["left; the job ends, and its workers give back what they hold"] == [
        record.message for record in caplog.records if record.levelname != "INFO"
    ]


def test_the_start_is_told_with_the_settings_that_matter(
    ends_as: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """One line."""
    ends_as()

    with caplog.at_level("INFO", "pipeline.job"):
        job.run(STRICT, [])

    assert (
        f"started: DirectRunner (Beam's FnApiRunner, in this process) reads {QUEUE_URL} in us-east-1 until quiet for "
        "20 s, at most 200 messages at once; processor transforms.processors:count_lines, output output, dead letters "
        "output/_dead_letters"
    ) == caplog.messages[0]


def test_the_start_of_a_replay_says_what_it_reads_and_when_it_ends(
    ends_as: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """No region, which is of no use to files."""
    ends_as()
    replay = replace(STRICT, receive=ReceiveSettings("replay:a/*.jsonl", replay="a/*.jsonl", idle_s=0))

    with caplog.at_level("INFO", "pipeline.job"):
        job.run(replay, [])

    assert "reads replay:a/*.jsonl until nothing is left, at most" in caplog.messages[0]


def test_the_end_accounts_for_every_message(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Also for those that only the end of the process gives back: everything is closed first."""

    class _Holding:
        def close(self) -> None:
            EVENTS.settled(Door.RETURNED, "unfinished")

    def build(root: beam.Pipeline, settings: Settings, outside: object) -> beam.PCollection:
        ProcessWide(_Holding).get()
        EVENTS.received(1)
        return root | beam.Create([])

    monkeypatch.setattr(job, "build", build)

    with caplog.at_level("INFO", "pipeline.job"):
        job.run(STRICT, [])

    assert "stopped: 1 received = 0 stored + 0 ignored + 0 set aside + 1 returned" == caplog.messages[-1]


def test_what_the_start_refuses_is_the_users_to_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not a failed job."""

    def refuse(settings: object, outside: object, **_: object) -> NoReturn:
        raise UserError("no such queue")

    monkeypatch.setattr(job.start_up, "check", refuse)

    with pytest.raises(UserError):
        job.run(STRICT, [])


def test_stopping_is_heard_where_the_work_is(monkeypatch: pytest.MonkeyPatch, ends_as: Callable[..., None]) -> None:
    """Signals of a process that only submitted the job are its own."""
    heard: list[object] = []
    monkeypatch.setattr(job.signals, "install", heard.append)
    ends_as()

    job.run(STRICT, [])
    process_wide.close_all()

    assert [STOP] == heard


def test_a_worker_tells_its_supervisor_that_it_started_and_what_it_did(ends_as: Callable[..., None]) -> None:
    """When nothing refused it, and when everything is closed."""
    life, our_end = os.pipe()
    reports, report = os.pipe()
    ends_as()
    EVENTS.received(3)

    job.run(STRICT, [], worker=Worker(1, 1, life, report))
    os.close(our_end)

    assert STOP.wait(10)
    with os.fdopen(report, "w"), os.fdopen(life):
        pass
    with os.fdopen(reports) as said:
        assert [{"started": True}, {"counts": {"received": 3}}] == [json.loads(line) for line in said]
