"""The table of checks, over a job whose surroundings are as they should be, and over broken ones."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline import start_up
from pipeline.check import command, options
from pipeline.check.command import CHECKS, findings
from pipeline.check.findings import NAME_WIDTH, Level, problem, warning
from pipeline.outside import Outside
from tests.check_subjects import BUCKET, URL, FakeAccount, a_subject
from transforms import aws
from transforms.failures import QueueError, UserError
from transforms.settings import GIB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.check.findings import Finding
    from pipeline.check.subject import Subject


@pytest.fixture(autouse=True)
def _room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine of the tests has memory enough."""
    monkeypatch.setattr(start_up, "available_bytes", lambda: 64 * GIB)


def test_of_a_good_setup_every_line_is_ok() -> None:
    """Each check has a line; roles only where there are some, and a sample has two."""
    found = list(findings(a_subject(), workers_here=True))

    assert {Level.OK} == {finding.level for _, finding in found}
    expected = [name for name, _ in CHECKS if name != "roles"]
    expected.insert(expected.index("sample"), "sample")
    assert expected == [name for name, _ in found]
    assert {""} == {finding.fix for _, finding in found}


def test_a_broken_setup_is_told_to_its_end() -> None:
    """Nothing that one check finds keeps another from looking."""
    silent = QueueError("no", code="NonExistentQueue", permanent=True)
    account = FakeAccount(told={}, clock=1000)

    found = list(findings(a_subject(attributes=silent, account=account), workers_here=True))

    assert ["clock", "queue", "notifications"] == [name for name, each in found if each.level is Level.PROBLEM]
    assert "memory" == found[-1][0]


def test_a_check_that_fails_itself_is_a_problem_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a traceback nor silence."""

    def breaks(_subject: Subject) -> Iterator[Finding]:
        yield warning("seen before")
        raise KeyError("unforeseen")

    def refuses(_subject: Subject) -> Iterator[Finding]:
        raise UserError("A profile is missing")

    monkeypatch.setattr(
        command, "CHECKS", (("one", breaks), ("two", refuses), ("three", lambda _: iter([warning("x")])))
    )

    assert [
        ("one", warning("seen before")),
        ("one", problem("this check itself failed: KeyError: 'unforeseen'")),
        ("two", problem("A profile is missing")),
        ("three", warning("x")),
    ] == list(findings(a_subject(), workers_here=True))


def test_workers_elsewhere_are_told_of() -> None:
    """Their rights, disks and memory are not seen from here."""
    name, first = next(findings(a_subject(), workers_here=False))

    assert ("runner", Level.WARNING) == (name, first.level)


def test_every_name_has_room_in_its_column() -> None:
    """Or the lines would not stand below each other."""
    assert [] == [name for name, _ in CHECKS if len(name) > NAME_WIDTH]


@pytest.fixture
def _set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds the good setup, and logging stays as pytest has it."""
    good = a_subject()
    monkeypatch.setattr(Outside, "of", lambda _settings: good.outside)
    monkeypatch.setattr(command, "AwsAccount", lambda _settings: FakeAccount())
    monkeypatch.setattr(options, "configure", lambda *_: None)
    monkeypatch.setattr(aws, "profile_region", lambda: None)


@pytest.mark.usefixtures("_set_up")
def test_the_command_reports_to_people_and_says_what_it_did_not_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --bucket half of the way is not seen."""
    assert 0 == command.main([f"--queue_url={URL}"], {})

    *_, counts, hint = capsys.readouterr().out.splitlines()
    assert "12 ok, 0 warnings, 0 problems" == counts
    assert "With --bucket=NAME it also looks at the way from that bucket to the queue, and tries an object." == hint


@pytest.mark.usefixtures("_set_up")
def test_with_a_bucket_there_is_nothing_more_to_look_at(capsys: pytest.CaptureFixture[str]) -> None:
    """Its last line is the count."""
    assert 0 == command.main([f"--queue_url={URL}", f"--bucket={BUCKET}"], {})

    assert capsys.readouterr().out.endswith("16 ok, 0 warnings, 0 problems\n")


@pytest.mark.usefixtures("_set_up")
def test_the_command_reports_to_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but JSON is on standard output."""
    assert 0 == command.main([f"--queue_url={URL}", f"--bucket={BUCKET}", "--json"], {})

    assert "ok" == json.loads(capsys.readouterr().out)["level"]


@pytest.mark.usefixtures("_set_up")
def test_a_reader_who_has_seen_enough_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`check | head -n 1`; but it is not known to be ok."""
    with (tmp_path / "pipe").open("w") as file:

        class _Closed(io.StringIO):
            def write(self, _text: str) -> int:
                raise BrokenPipeError

            def fileno(self) -> int:
                return file.fileno()

        monkeypatch.setattr(sys, "stdout", _Closed())

        assert 1 == command.main([f"--queue_url={URL}", f"--bucket={BUCKET}"], {})
