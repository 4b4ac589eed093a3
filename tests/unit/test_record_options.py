"""The options of `record`: the job's where they are the same, and a few of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.record_options import Asked, parse_record
from tests.builders import QUEUE_URL
from transforms.settings import GIB, ReceiveSettings


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging stays as pytest has it."""
    monkeypatch.setattr("pipeline.record_options.configure", lambda level, log_format: None)


def test_a_queue_and_a_place_are_enough() -> None:
    """Few messages, since each costs one a receive."""
    asked = parse_record(["--into=there"], {"SQS_QUEUE_URL": QUEUE_URL})

    assert Asked(ReceiveSettings(QUEUE_URL), Path("there")) == asked
    assert (10, 60, 8 * GIB, False, False) == (
        asked.max_messages,
        asked.visibility_timeout_s,
        asked.max_object_bytes,
        asked.redact,
        asked.redact_names,
    )


def test_the_jobs_options_mean_the_same_here() -> None:
    """They are found in the environment, too; those that this command has otherwise are not."""
    environment = {
        "SQS_PIPELINE_BUCKETS": "a,b",
        "SQS_PIPELINE_MAX_OBJECT_BYTES": "1KiB",
        "SQS_PIPELINE_MAX_MESSAGES": "5000",
    }
    said = ["--into=x", f"--queue_url={QUEUE_URL}", "--key_glob=*.gz", "--visibility_timeout_s=30"]
    asked = parse_record([*said, "--notification_parser=m:f", "--max_messages=3"], environment)

    assert (
        ReceiveSettings(QUEUE_URL, buckets=("a", "b"), key_globs=("*.gz",), notification_parser="m:f") == asked.receive
    )
    assert (3, 30, 1024) == (asked.max_messages, asked.visibility_timeout_s, asked.max_object_bytes)


def test_the_roles_of_the_job_are_this_commands_too() -> None:
    """Where the queue and the objects are another account's, so they are for a recording."""
    role, environment = "arn:aws:iam::210987654321:role/", {"SQS_PIPELINE_EXPECTED_BUCKET_OWNER": "210987654321"}
    said = ["--into=x", f"--queue_url={QUEUE_URL}", f"--queue_role_arn={role}q", f"--source_role_arn={role}s"]
    asked = parse_record(said, environment)

    assert (f"{role}q", f"{role}s", "210987654321") == (
        asked.receive.queue_role_arn,
        asked.source_role_arn,
        asked.expected_bucket_owner,
    )


def test_to_redact_names_is_to_redact() -> None:
    """Names alone would hide nothing."""
    asked = parse_record(["--into=x", f"--queue_url={QUEUE_URL}", "--redact_names"], {})

    assert (True, True) == (asked.redact, asked.redact_names)


def test_the_help_says_what_a_recording_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """Before it is paid."""
    with pytest.raises(SystemExit):
        parse_record(["--help"], {})

    help_text = " ".join(capsys.readouterr().out.split())

    assert "Each recorded message costs one receive" in help_text
    assert "maxReceiveCount" in help_text
    assert "--into DIR" in help_text
