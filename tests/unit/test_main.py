"""The command answers users in sentences and machines in exit codes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

import pytest

from pipeline import __main__, job
from pipeline.__main__ import main
from tests.builders import QUEUE_URL
from transforms.failures import UserError

if TYPE_CHECKING:
    from pipeline.aggregates import View
    from pipeline.options import Settings


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging stays as pytest has it."""
    monkeypatch.setattr(__main__, "configure", lambda level, log_format, *, pipeline: None)
    monkeypatch.delenv("SQS_QUEUE_URL", raising=False)
    monkeypatch.setenv("SQS_PIPELINE_PIPELINES", "0")


def _answers(exit_code: int) -> object:
    return lambda settings, beam_args, *, worker: exit_code


def test_a_mistake_of_the_user_is_one_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback: nobody but the user can mend it."""
    exit_code = main(["--wait_time_s=30"])

    assert ("sqs-pipeline: --wait_time_s is 30; SQS allows 0 to 20\n", 2) == (capsys.readouterr().err, exit_code)


def test_a_mistake_that_only_the_start_finds_is_one_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, whatever it quotes."""

    def refuse(settings: Settings, beam_args: list[str], *, worker: None) -> NoReturn:
        raise UserError("no such queue\n\x1b[2J")

    monkeypatch.setattr(job, "run", refuse)

    assert 2 == main([f"--queue_url={QUEUE_URL}"])
    assert "sqs-pipeline: no such queue\\n\\x1b[2J\n" == capsys.readouterr().err


@pytest.mark.parametrize("exit_code", [0, 1])
def test_the_exit_code_is_that_of_the_job(monkeypatch: pytest.MonkeyPatch, exit_code: int) -> None:
    """Whoever started it decides by it."""
    monkeypatch.setattr(job, "run", _answers(exit_code))

    assert exit_code == main([f"--queue_url={QUEUE_URL}"])


def test_arguments_and_environment_reach_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is not ours goes along."""
    given: list[tuple[int, list[str]]] = []
    monkeypatch.setattr(
        job, "run", lambda settings, rest, *, worker: given.append((settings.receive.wait_time_s, rest)) or 0
    )
    monkeypatch.setenv("SQS_QUEUE_URL", QUEUE_URL)
    monkeypatch.setenv("SQS_PIPELINE_WAIT_TIME_S", "3")

    main(["--streaming"])

    assert [(3, ["--streaming"])] == given


def test_ctrl_c_before_the_start_leaves_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells expect."""

    def interrupt(settings: Settings, beam_args: list[str], *, worker: None) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "run", interrupt)

    assert 130 == main([f"--queue_url={QUEUE_URL}"])


def test_logging_is_set_up_as_the_options_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is logged."""
    configured: list[tuple[str, str, str]] = []
    monkeypatch.setattr(__main__, "configure", lambda *said, pipeline: configured.append((*said, pipeline)))
    monkeypatch.setattr(job, "run", _answers(0))

    main([f"--queue_url={QUEUE_URL}", "--log_level=debug", "--log_format=json"])

    assert [(logging.getLevelName(logging.DEBUG), "json", "")] == configured


def test_the_job_is_supervised_unless_the_user_says_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its workers get the same arguments, and run it themselves."""
    given: list[tuple[list[str], int, bool, bool]] = []

    class _Supervisor:
        def __init__(
            self, command: list[str], pipelines: int, *, is_bounded: bool, drain_timeout_s: float, is_observed: bool
        ) -> None:
            given.append((command[1:], pipelines, is_bounded, is_observed))

        def look(self) -> list[View]:
            return []

        def run(self) -> int:
            return 1

    monkeypatch.setattr(__main__, "Supervisor", _Supervisor)
    arguments = [f"--queue_url={QUEUE_URL}", "--pipelines=2", "--drain"]

    assert 1 == main(arguments)
    assert [(["-m", "pipeline", *arguments, "--pipelines=0"], 2, True, False)] == given


def test_a_cluster_is_not_supervised(monkeypatch: pytest.MonkeyPatch) -> None:
    """It restarts its workers itself."""
    monkeypatch.setenv("SQS_PIPELINE_PIPELINES", "1")
    monkeypatch.setattr(job, "run", _answers(0))

    assert 0 == main([f"--queue_url={QUEUE_URL}", "--runner=FlinkRunner"])
