"""`check` takes the options of the job, and a few of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from pipeline.check import options
from pipeline.check.options import parse_check
from tests.builders import QUEUE_URL
from transforms import aws
from transforms.failures import UserError

if TYPE_CHECKING:
    from pipeline.check.options import Asked


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Logging stays as pytest has it, and no profile counts."""
    said: list[tuple[str, str]] = []
    monkeypatch.setattr(options, "configure", lambda *how: said.append(how))
    monkeypatch.setattr(aws, "profile_region", lambda: None)
    return said


def _parse(*argv: str, **environ: str) -> Asked:
    return parse_check(argv, {"SQS_QUEUE_URL": QUEUE_URL} | environ)


def test_the_options_of_the_job_mean_what_they_mean_there() -> None:
    """On the command line and in the environment; what is Beam's goes along."""
    asked = _parse("--give_up_after=7", "--streaming", SQS_PIPELINE_OUTPUT="here")

    assert (7, "here", ["--streaming"]) == (
        asked.settings.receive.give_up_after,
        asked.settings.write.output,
        asked.beam_args,
    )
    assert (None, None, False) == (asked.bucket, asked.sample, asked.json)


def test_its_own_options_say_where_to_look() -> None:
    """Keys are taken as they are."""
    asked = _parse("--bucket=logs", "--sample=s3://other//a b/?.gz", "--json")

    assert ("logs", ("other", "/a b/?.gz"), True) == (asked.bucket, asked.sample, asked.json)


@pytest.mark.parametrize("text", ["s3://bucket", "s3://bucket/", "s3:///key", "bucket/key", "gs://bucket/key"])
def test_a_sample_is_an_object_of_s3(text: str) -> None:
    """A bucket alone is --bucket."""
    with pytest.raises(UserError) as refused:
        _parse(f"--sample={text}")

    assert f"--sample is {text!r}; it must be an object like s3://bucket/key" == str(refused.value)


def test_a_bucket_is_named_without_what_stands_around_it() -> None:
    """Or the commands that mend would put it into policies."""
    with pytest.raises(UserError) as refused:
        _parse("--bucket=s3://logs")

    assert "--bucket is 's3://logs'; it must be the name of a bucket, like acme-logs" == str(refused.value)


def test_what_the_job_would_refuse_is_refused_in_the_same_words() -> None:
    """It is the first check."""
    with pytest.raises(UserError, match="--wait_time_s is 30; SQS allows 0 to 20"):
        _parse("--wait_time_s=30")
    with pytest.raises(UserError, match="There is no queue to read"):
        parse_check([], {})


def test_a_replay_has_nothing_to_check() -> None:
    """Its start reads the files that it needs."""
    with pytest.raises(UserError, match=r"--replay is all\.jsonl; check looks at a queue, which a replay has not"):
        parse_check(["--replay=all.jsonl"], {})


def test_only_warnings_are_logged_unless_the_user_wants_more(configured: list[tuple[str, str]]) -> None:
    """The report is what was asked for."""
    _parse()
    _parse("--log_level=debug", "--log_format=json")

    assert [("WARNING", "text"), (logging.getLevelName(logging.DEBUG), "json")] == configured


def test_a_backfill_has_no_queue_to_look_at() -> None:
    """Its own look is --dry_run."""
    with pytest.raises(UserError, match="backfill:s3://b/ is no queue, and check looks at one; --dry_run looks"):
        parse_check(["--backfill=s3://b"], {})
