"""The list of dead letters: a table for people, JSON Lines for machines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pipeline import dead_letter_options
from pipeline.__main__ import main
from pipeline.dead_letter_options import parse_dead_letters, parse_redrive
from tests.builders import QUEUE_URL, a_delivery, an_object_ref
from transforms.dead_letters import dead_letter_document
from transforms.directory_store import DirectoryStore
from transforms.failures import CorruptGzipError, FailureKind, UnreadableNotificationError, UserError, explanation
from transforms.records import Failure

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging stays as pytest has it."""
    monkeypatch.setattr(dead_letter_options, "configure", lambda level, log_format: None)
    monkeypatch.delenv("SQS_QUEUE_URL", raising=False)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An output with two dead letters."""
    store = DirectoryStore(tmp_path / "_dead_letters")
    corrupt = Failure.of(an_object_ref(key="a\x1b[2J.gz"), CorruptGzipError("bad CRC"))
    unreadable = Failure.of(a_delivery(receive_count=12), UnreadableNotificationError("not JSON"))
    store.put("b-0.json", dead_letter_document(corrupt, failed_at=datetime(2026, 1, 3, tzinfo=UTC)))
    store.put("c-0.json", dead_letter_document(unreadable, failed_at=datetime(2026, 1, 2, tzinfo=UTC)))
    return tmp_path


def test_the_table_has_a_row_for_each_and_explains_the_kinds(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The latest last; nothing of a key speaks to the terminal."""
    expected = """\
set aside at              kind                     object or message               receives  detail
2026-01-02T00:00:00.000Z  unreadable_notification  message message-1               12        not JSON
2026-01-03T00:00:00.000Z  corrupt_gzip             s3://source-bucket/a\\x1b[2J.gz  1         bad CRC

2 set aside
       1  unreadable_notification  The message is no notification that this project understands.
       1  corrupt_gzip             The object begins like gzip and is not valid gzip.
"""

    assert 0 == main(["dead_letters", f"--output={output}"])
    assert expected == capsys.readouterr().out


def test_json_lines_have_each_dead_letter_whole(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its name, and what its kind means."""
    assert 0 == main(["dead_letters", f"--output={output}", "--json", "--kind=corrupt_gzip"])
    (line,) = capsys.readouterr().out.splitlines()
    stored = json.loads((output / "_dead_letters" / "b-0.json").read_text())
    assert {"name": "b-0.json", "explanation": explanation("corrupt_gzip")} | stored == json.loads(line)


def test_nothing_set_aside_is_said_in_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Not an empty table."""
    assert 0 == main(["dead_letters", f"--output={tmp_path}"])
    assert "Nothing is set aside.\n" == capsys.readouterr().out


def test_a_reader_that_has_seen_enough_is_no_error(output: Path) -> None:
    """Into `head`, for example."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "pipeline", "dead_letters", f"--output={output}"]

    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writing)

    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_has_an_explanation(kind: FailureKind) -> None:
    """One sentence."""
    assert re.fullmatch(r"[A-Z].*\.", explanation(kind))


def test_a_kind_of_another_version_has_none() -> None:
    """It is listed all the same."""
    assert "" == explanation("unheard_of")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("2026-01-02T03:04Z", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-01-02T03:04+01:00", datetime(2026, 1, 2, 2, 4, tzinfo=UTC)),
    ],
)
def test_since_is_a_time(text: str, expected: datetime) -> None:
    """In UTC unless it says more."""
    assert expected == parse_dead_letters([f"--since={text}"], {}).since


@pytest.mark.parametrize(("text", "age"), [("90s", 90), ("30m", 1800), ("24h", 86400), ("7d", 604800)])
def test_since_is_an_age(text: str, age: int) -> None:
    """Of what was set aside, before now."""
    since = parse_dead_letters([f"--since={text}"], {}).since

    assert since is not None
    assert abs(datetime.now(UTC) - timedelta(seconds=age) - since) < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--since=yesterday"], "--since is 'yesterday'; it must be a time like"),
        (["--since=999999d"], "--since is '999999d'; it must be a time like"),
        (["--kind=corrupt"], "--kind is 'corrupt'; it must be one of unreadable_notification"),
        (["--dry-run"], "--dry-run is not an option; did you mean --dry_run"),
        (["all"], "all is not an option; --help lists the options"),
    ],
)
def test_a_mistake_is_one_sentence(argv: list[str], sentence: str) -> None:
    """Nothing is passed to Beam, since there is none."""
    with pytest.raises(UserError, match=re.escape(sentence)):
        parse_redrive([*argv, f"--queue_url={QUEUE_URL}"], {})


def test_places_are_found_as_by_the_job() -> None:
    """In the environment, too; what only the job knows is no mistake there."""
    environ = {
        "SQS_QUEUE_URL": QUEUE_URL,
        "SQS_PIPELINE_DEAD_LETTERS": "there",
        "SQS_PIPELINE_RECEIVERS": "2",
        "AWS_REGION": "eu-west-1",
    }

    asked = parse_redrive(["--kind=archived,too_large", "--kind=forbidden", "--dry_run"], environ)

    assert (QUEUE_URL, "there", "eu-west-1", True) == (asked.queue_url, asked.place, asked.region, asked.dry_run)
    assert {"archived", "too_large", "forbidden"} == asked.kinds
