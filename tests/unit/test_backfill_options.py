"""What a backfill excludes, in sentences, and what it makes of the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.backfill_options import with_share
from pipeline.options import Settings, parse
from pipeline.worker import Worker
from tests.builders import QUEUE_URL
from transforms import aws
from transforms.failures import UserError
from transforms.settings import BackfillSettings


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own AWS profile says nothing here."""
    monkeypatch.setattr(aws, "profile_region", lambda: None)


def _parse(*argv: str, **environ: str) -> Settings:
    settings, _ = parse(argv, environ)
    return settings


def _backfill(*argv: str, **environ: str) -> BackfillSettings:
    backfill = _parse(*argv, **environ).receive.backfill
    assert backfill is not None
    return backfill


def test_a_backfill_needs_no_queue_ends_by_itself_and_asks_the_ledger_always() -> None:
    """What it lists stands where the queue's URL would, for people."""
    settings = _parse("--backfill=s3://logs/2026/", "--backfill=s3://other")

    assert BackfillSettings((("logs", "2026/"), ("other", ""))) == settings.receive.backfill
    assert ("backfill:s3://logs/2026/,s3://other/", 0.0) == (settings.receive.queue_url, settings.receive.idle_s)
    assert (True, True) == (settings.is_bounded, settings.fetch.asks_ledger_always)


def test_without_a_backfill_nothing_changes() -> None:
    """The ledger is not asked about first receives."""
    settings = _parse(f"--queue_url={QUEUE_URL}")

    assert (None, None, False) == (
        settings.receive.backfill,
        settings.receive.idle_s,
        settings.fetch.asks_ledger_always,
    )


def test_what_the_environment_says_of_a_queue_is_meant_for_other_runs() -> None:
    """A container that reads a queue can be told to fill up with one argument."""
    settings = _parse(
        "--backfill=s3://logs",
        SQS_QUEUE_URL=QUEUE_URL,
        SQS_PIPELINE_DRAIN="true",
        SQS_PIPELINE_IDLE_S="5",
        SQS_PIPELINE_NOTIFICATION_PARSER="mine:parse",
    )

    assert ("backfill:s3://logs/", False) == (settings.receive.queue_url, settings.run.drain)
    assert (0.0, None) == (settings.receive.idle_s, settings.receive.notification_parser)


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (
            ["--queue_url=http://h/1/q"],
            "--queue_url is http://h/1/q; no queue is read, so leave one of them out",
        ),
        (
            ["--queue_role_arn=arn:aws:iam::123456789012:role/a"],
            "--queue_role_arn is arn:aws:iam::123456789012:role/a; no queue is asked, so leave one of them out",
        ),
        (["--drain"], "--drain is true; it ends by itself when nothing is left, so leave one of them out"),
        (["--idle_s=5"], "--idle_s is 5; it ends when nothing is left, so leave one of them out"),
        (
            ["--notification_parser=a:b"],
            "--notification_parser is a:b; there are no messages to parse, so leave one of them out",
        ),
        (["--replay=a.jsonl"], "--replay is a.jsonl; recorded messages are another source, so leave one of them out"),
        (["--receivers=4"], "--receivers is 4; each would list everything, so leave it at 1"),
        (["--buckets=a,b"], "--buckets is a,b; all of logs would be set aside, so name it there"),
        (["--output=s3://logs/2026"], "--output is s3://logs/2026; what is under it is never processed"),
        (["--output=s3://logs"], "--output is s3://logs; what is under it is never processed"),
        (["--dead_letters=s3://logs"], "--dead_letters is s3://logs; what is under it is never processed"),
    ],
)
def test_what_cannot_be_beside_a_backfill_is_refused_with_both_values(argv: list[str], sentence: str) -> None:
    """Neither wins in silence."""
    with pytest.raises(UserError) as refused:
        _parse("--backfill=s3://logs/2026/01", *argv)

    assert f"--backfill lists s3://logs/2026/01 and {sentence}" == str(refused.value)


@pytest.mark.parametrize("argument", ["--since=2026-01-01", "--until=2026-01-01", "--dry_run"])
def test_what_speaks_of_a_listing_needs_one(argument: str) -> None:
    """It would be ignored."""
    with pytest.raises(UserError, match="but nothing is listed; add --backfill"):
        _parse(argument, SQS_QUEUE_URL=QUEUE_URL)


def test_an_output_beside_what_is_listed_is_fine() -> None:
    """Also in the same bucket; what it holds is filtered."""
    assert _backfill("--backfill=s3://logs", "--output=s3://logs/results", "--buckets=logs")


def test_times_are_utc_unless_they_say_more() -> None:
    """A date is its midnight."""
    backfill = _backfill("--backfill=s3://logs", "--since=2026-01-31", "--until=2026-02-01T10:00+02:00")

    assert (datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, 8, tzinfo=UTC)) == (backfill.since, backfill.until)
    assert backfill.until
    assert timedelta(0) == backfill.until.utcoffset()


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--since=yesterday"], "--since is 'yesterday'; it must be a date or a time like 2026-01-31"),
        (["--until=0001-01-01T00:00+14:00"], "--until is '0001-01-01T00:00[+]14:00'; it must be a date or a time"),
        (["--since=2026-02-01", "--until=2026-01-01"], "nothing is between them"),
        (["--backfill=logs/2026"], "--backfill is 'logs/2026'; it must be a bucket, or a part of one, like s3://"),
        (["--backfill=s3://"], "--backfill is 's3://'; it must be a bucket"),
        (["--backfill=s3://arn:aws:s3:eu-west-1:1:accesspoint/a"], "it must be a bucket"),
        (["--strict", "--dry_run", "--wait_time_s=99"], "--wait_time_s is 99"),
    ],
)
def test_what_is_no_place_or_time_is_refused(argv: list[str], sentence: str) -> None:
    """With an example."""
    with pytest.raises(UserError, match=sentence):
        _parse("--backfill=s3://logs", *argv)


def test_a_prefix_is_taken_to_the_letter() -> None:
    """S3's prefixes may hold anything, and a slash at the end makes a difference."""
    assert (("b", "a b/c,d//"),) == _backfill("--backfill=s3://b/a b/c,d//").places
    assert (("a", ""), ("b", "x")) == _backfill(SQS_PIPELINE_BACKFILL="s3://a,s3://b/x").places


def test_each_process_among_several_takes_its_share() -> None:
    """A process alone, or one that reads a queue, takes all."""
    settings = _parse("--backfill=s3://logs")
    worker = Worker(number=2, pipelines=3, life=0, report=0)
    queue = _parse(f"--queue_url={QUEUE_URL}")

    shared = with_share(settings, worker).receive
    assert shared.backfill
    assert (2, 3) == shared.backfill.share
    assert settings.receive == replace(shared, backfill=settings.receive.backfill)
    assert settings is with_share(settings, None)
    assert queue is with_share(queue, worker)
