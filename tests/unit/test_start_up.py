"""Permanent answers refuse the start in a sentence; an outage is waited for."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import start_up
from pipeline.options import Settings
from pipeline.start_up import check
from tests.builders import QUEUE_URL
from transforms.directory_objects import DirectoryObjects
from transforms.failures import QueueError, UserError, WriteFailedError
from transforms.process_wide import ProcessWide
from transforms.settings import GIB, BackfillSettings, ProcessSettings, ReceiveSettings, WriteSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS = Settings(ReceiveSettings(QUEUE_URL, give_up_after=5))


@dataclass
class _Queue:
    answer: Mapping[str, str] | Exception = field(default_factory=dict)

    def attributes(self) -> Mapping[str, str]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class _Store:
    error: Exception | None = None

    def exists(self, name: str) -> bool:
        return False

    def put(self, name: str, document: bytes) -> None:
        if self.error:
            raise self.error

    def delete(self, name: str) -> None:
        pass


class _Outside:
    """Like `pipeline.outside.Outside`."""

    def __init__(
        self,
        *,
        queue: Any = None,  # noqa: ANN401
        objects: str = ".",
        results: Any = None,  # noqa: ANN401
        dead_letters: Any = None,  # noqa: ANN401
    ) -> None:
        self.queue = ProcessWide(lambda: queue or _Queue())
        self.objects = ProcessWide(DirectoryObjects, objects)
        self.results = ProcessWide(lambda: results or _Store())
        self.dead_letters = ProcessWide(lambda: dead_letters or _Store())


@pytest.fixture(autouse=True)
def _room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine of the tests has memory enough."""
    monkeypatch.setattr(start_up, "available_bytes", lambda: 64 * GIB)


def _check(settings: Settings = SETTINGS, *, workers_here: bool = True, **outside: Any) -> None:  # noqa: ANN401
    check(settings, _Outside(**outside), workers_here=workers_here)  # type: ignore[arg-type]


def _refusal(settings: Settings = SETTINGS, **outside: Any) -> str:  # noqa: ANN401
    with pytest.raises(UserError) as refused:
        _check(settings, **outside)
    return str(refused.value)


def _redrive(most: object) -> _Queue:
    return _Queue({"RedrivePolicy": json.dumps({"maxReceiveCount": most})})


def _write_failed(*, permanent: bool) -> WriteFailedError:
    error = WriteFailedError("cannot write out/x: Permission denied")
    error.permanent = permanent
    return error


def test_a_good_start_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The line about the start comes after."""
    _check()

    assert [] == caplog.messages


def test_a_queue_that_is_not_there_refuses_the_start() -> None:
    """With what SQS said."""
    queue = _Queue(QueueError("The specified queue does not exist", code="QueueDoesNotExist", permanent=True))

    assert f"The queue {QUEUE_URL} cannot be used: The specified queue does not exist" == _refusal(queue=queue)


def test_an_outage_of_sqs_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """A job that starts during one must not need a person."""
    _check(queue=_Queue(QueueError("connection refused")))

    assert ["SQS does not answer (connection refused); the job starts all the same and waits for it"] == caplog.messages


def test_a_fifo_queue_is_refused() -> None:
    """Whatever its name."""
    expected = f"The queue {QUEUE_URL} is a FIFO queue; S3 notifies standard queues only, and this job reads those"

    assert expected == _refusal(queue=_Queue({"FifoQueue": "true"}))


@pytest.mark.parametrize("most", [5, "4"])
def test_a_queue_that_gives_up_before_the_job_is_warned_of(most: object, caplog: pytest.LogCaptureFixture) -> None:
    """SQS takes the message without a reason."""
    expected = (
        f"the queue's maxReceiveCount is {most} and --give_up_after is 5: SQS takes a failing message before this job "
        "sets it aside with a reason; make maxReceiveCount larger"
    )

    _check(queue=_redrive(most))

    assert [expected] == caplog.messages


@pytest.mark.parametrize("queue", [_redrive(6), _redrive(None), _Queue({"RedrivePolicy": "?"})])
def test_a_queue_that_gives_up_later_or_never_is_fine(queue: _Queue, caplog: pytest.LogCaptureFixture) -> None:
    """Stand-ins answer odd policies."""
    _check(queue=queue)

    assert [] == caplog.messages


def test_objects_that_are_nowhere_refuse_the_start() -> None:
    """Or every object would be gone."""
    assert "--objects is typo, and there is no such directory; objects are DIR/<bucket>/<key>" == _refusal(
        objects="typo"
    )


def test_an_output_that_cannot_be_written_refuses_the_start() -> None:
    """It would be found out with the first message."""
    expected = "--output cannot be used: cannot write out/x: Permission denied"

    assert expected == _refusal(results=_Store(_write_failed(permanent=True)))


def test_dead_letters_that_cannot_be_written_refuse_the_start() -> None:
    """They would be found out with the first failure, much later."""
    assert _refusal(dead_letters=_Store(_write_failed(permanent=True))).startswith("--dead_letters cannot be used: ")


def test_an_outage_of_the_output_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """As one of SQS."""
    _check(results=_Store(_write_failed(permanent=False)))

    assert [
        "--output fails now (cannot write out/x: Permission denied); the job starts all the same and waits for it"
    ] == caplog.messages


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        (replace(SETTINGS, process=ProcessSettings(processor="no_such_module:f")), "--processor"),
        (replace(SETTINGS, receive=ReceiveSettings(QUEUE_URL, notification_parser="no_such_module:f")), "--notif"),
    ],
)
def test_a_function_that_is_not_there_refuses_the_start(settings: Settings, option: str) -> None:
    """The first message would be the first to meet it."""
    assert _refusal(settings).startswith(option)


def test_options_that_allow_more_memory_than_there_is_are_warned_of(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At worst is not usual, so it starts."""
    monkeypatch.setattr(start_up, "available_bytes", lambda: GIB // 2)
    expected = (
        "the options allow 904 MiB of memory at worst and there are 512 MiB: lower --max_read_bytes, "
        "--process_concurrency or --max_in_flight"
    )

    _check()

    assert [expected] == caplog.messages


def test_pipelines_share_the_memory_of_their_machine(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is enough for one may be too little for four."""
    monkeypatch.setattr(start_up, "available_bytes", lambda: GIB)

    check(SETTINGS, _Outside(), workers_here=True, pipelines=1)  # type: ignore[arg-type]
    check(SETTINGS, _Outside(), workers_here=True, pipelines=4)  # type: ignore[arg-type]

    assert [message.partition(":")[0] for message in caplog.messages] == [
        "the options allow 3616 MiB of memory at worst in 4 pipelines and there are 1024 MiB"
    ]


def test_workers_elsewhere_have_rights_and_disks_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    """What this machine may not do says nothing."""
    denied = QueueError("denied", permanent=True)

    _check(workers_here=False, queue=_Queue(denied), results=_Store(_write_failed(permanent=True)))

    assert [] == caplog.messages
    with pytest.raises(UserError):
        _check(replace(SETTINGS, process=ProcessSettings(processor="?")), workers_here=False)


def test_one_place_for_both_is_asked_once() -> None:
    """Results and dead letters have different names."""
    settings = replace(SETTINGS, write=WriteSettings(output="x", dead_letters="x"))

    _check(settings, dead_letters=_Store(_write_failed(permanent=True)))


def test_only_warnings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """They are about something to do."""
    _check(queue=_redrive(1))

    assert [logging.WARNING] == [record.levelno for record in caplog.records]


def test_a_listing_is_called_what_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """S3 is asked, and there is no queue."""
    receive = ReceiveSettings("backfill:s3://b/", backfill=BackfillSettings((("b", ""),)))
    settings = replace(SETTINGS, receive=receive)

    assert "backfill:s3://b/ cannot be used: denied" == _refusal(
        settings, queue=_Queue(QueueError("denied", permanent=True))
    )
    _check(settings, queue=_Queue(QueueError("503")))
    assert "S3 does not answer (503); the job starts all the same and waits for it" in caplog.messages
