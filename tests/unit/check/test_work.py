"""An object is read and processed as in the job, and nothing is stored."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.check.account import RefusedError, Stored
from pipeline.check.findings import Level, ok, warning
from pipeline.check.work import MAX_SAMPLE_BYTES, check_processor, check_sample
from tests.check_subjects import BUCKET, NOW, SETTINGS, FakeAccount, a_subject, denied, long_ago, with_receive
from tests.fake_objects import FakeObjects
from transforms.failures import (
    BucketGoneError,
    ForbiddenError,
    ObjectGoneError,
    RecordError,
    TimedOutError,
    UserError,
)
from transforms.settings import FetchSettings, ProcessSettings

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.check.findings import Finding
    from pipeline.check.subject import Subject


def _sampled(**more: Any) -> list[Finding]:  # noqa: ANN401 - of many kinds
    return list(check_sample(a_subject(**more)))


def _processing(spec: str, **more: Any) -> Subject:  # noqa: ANN401 - of many kinds
    return a_subject(settings=replace(SETTINGS, process=ProcessSettings(processor=spec)), **more)


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's module is."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_functions_that_can_be_called_are_named() -> None:
    """The parser, too, where there is one."""
    parser = "transforms.envelopes:open_body"

    assert [ok("transforms.processors:count_lines can be called")] == list(check_processor(a_subject()))
    assert [ok(f"transforms.processors:count_lines can be called, and so can {parser}")] == list(
        check_processor(a_subject(settings=with_receive(notification_parser=parser)))
    )


def test_a_function_that_cannot_be_imported_is_told_as_at_the_start() -> None:
    """In the same sentence; without it the sample is read and no more."""
    subject = _processing("nowhere:f")

    with pytest.raises(UserError, match="there is no module nowhere"):
        list(check_processor(subject))
    read, processed = check_sample(subject)

    assert Level.OK == read.level
    assert warning("not processed, because nowhere:f cannot be imported") == processed


def test_the_sample_is_read_and_processed() -> None:
    """Gunzipped; what is told of the result is its size alone."""
    objects = FakeObjects()
    size = objects.put(BUCKET, "a key", gzip.compress(b"one\ntwo\n")).size

    read, processed = _sampled(objects=objects, sample=(BUCKET, "a key"), bucket=None)

    assert ok(f"s3://{BUCKET}/a key can be read: {size} bytes as stored") == read
    assert Level.OK == processed.level
    assert processed.found.startswith("transforms.processors:count_lines makes a result of ")
    assert " bytes in 4 fields, in 0." in processed.found


def test_without_a_bucket_and_without_a_sample_nothing_is_read() -> None:
    """Nobody said where."""
    assert [] == _sampled(bucket=None)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (SETTINGS, "new.log"),
        (with_receive(key_globs=("*.txt",)), "a.txt"),
        (with_receive(own_prefixes=((BUCKET, "new"),)), "mid.log"),
    ],
)
def test_the_newest_object_that_the_job_would_process_is_tried(settings: Any, expected: str) -> None:  # noqa: ANN401
    """None that is empty, or takes long, or is the job's own."""
    listed = [
        Stored("old.log", 1, long_ago(3)),
        Stored("a.txt", 1, long_ago(2)),
        Stored("mid.log", 1, long_ago(1)),
        Stored("new.log", 1, NOW),
        Stored("empty/", 0, NOW),
        Stored("huge", MAX_SAMPLE_BYTES + 1, NOW),
    ]
    objects = FakeObjects()
    objects.put(BUCKET, expected, b"x")

    _sampled(settings=settings, account=FakeAccount(listed=listed), objects=objects)

    assert [expected] == [each.ref.key for each in objects.opens]


def test_a_bucket_with_nothing_to_try_is_a_warning() -> None:
    """It may be new."""
    expected = warning(f"no object to try among the first 0 of {BUCKET}", f"--sample=s3://{BUCKET}/KEY")

    assert [expected] == _sampled(account=FakeAccount(listed=[]))


def test_a_bucket_that_may_not_be_listed_is_a_warning_with_its_consequence() -> None:
    """The job lists nothing, but S3 then says 403 where it means 404."""
    (found,) = _sampled(account=FakeAccount(listed=denied("ListObjectsV2")))
    (silent,) = _sampled(account=FakeAccount(listed=RefusedError("timed out")))

    assert Level.WARNING == found.level
    assert "without s3:ListBucket S3 also calls a missing object forbidden" in found.found
    assert '"Action":["s3:ListBucket"],"Resource":["arn:aws:s3:::acme-logs"]' in found.fix
    assert warning(f"{BUCKET} cannot be listed: timed out") == silent


@pytest.mark.parametrize(
    ("error", "level", "fix"),
    [
        (ForbiddenError("no"), Level.PROBLEM, "aws iam put-role-policy --role-name job"),
        (BucketGoneError("no"), Level.PROBLEM, f"aws s3 mb s3://{BUCKET}"),
        (ObjectGoneError("no"), Level.PROBLEM, f"aws s3 ls --recursive s3://{BUCKET}/"),
        (TimedOutError("no"), Level.PROBLEM, f"aws s3 cp s3://{BUCKET}/a.log -"),
    ],
)
def test_an_object_that_cannot_be_read_says_what_the_job_would_call_it(
    error: RecordError, level: Level, fix: str
) -> None:
    """And how to see it oneself, or to allow it."""
    objects = FakeObjects()
    objects.fail_next(error)

    (found,) = _sampled(objects=objects)

    assert level == found.level
    assert f"s3://{BUCKET}/a.log would be {error.kind}: no" == found.found
    assert found.fix.startswith(fix)


def test_a_forbidden_object_may_be_of_another_owner() -> None:
    """S3 does not say which of the two."""
    objects = FakeObjects()
    objects.fail_next(ForbiddenError("no"))
    settings = replace(SETTINGS, fetch=FetchSettings(expected_bucket_owner="111111111111"))

    (found,) = _sampled(objects=objects, settings=settings)

    assert found.found.endswith("; or the bucket is not of --expected_bucket_owner, 111111111111")


def test_a_corrupt_object_is_its_own_affair() -> None:
    """The job works, and sets it aside."""
    objects = FakeObjects()
    objects.put(BUCKET, "a.log", gzip.compress(b"one\n")[:-3])

    (found,) = _sampled(objects=objects)

    assert Level.WARNING == found.level
    assert "would be corrupt_gzip" in found.found


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('odd')", "processor_error: ValueError: odd ("),
        ("return {'x': float('nan')}", "bad_result: the processor returned what JSON cannot say"),
        ("return 5", "bad_result: the processor returned int"),
    ],
)
def test_a_function_that_gives_no_result_says_why_and_where(mine: Path, body: str, said: str) -> None:
    """As the job would, at every message."""
    (mine / "my_failing.py").write_text(f"def f(content):\n    {body}\n")

    _, found = check_sample(_processing("my_failing:f"))

    assert Level.PROBLEM == found.level
    assert found.found.startswith(f"my_failing:f gives no result: {said}")
    assert ("raise" in body) == found.found.endswith("my_failing.py, line 2)")


def test_an_instance_of_the_users_class_is_closed(mine: Path) -> None:
    """It may hold a connection."""
    (mine / "my_closing.py").write_text(
        "closed = []\nclass C:\n"
        "    def __call__(self, content):\n        return {}\n"
        "    def close(self):\n        closed.append(1)\n"
    )

    list(check_sample(_processing("my_closing:C")))
    import my_closing  # type: ignore[import-not-found]  # noqa: PLC0415 - made here

    assert [1] == my_closing.closed


def test_rows_are_counted_in_bytes_and_forgotten(mine: Path) -> None:
    """They are no more stored than the rest."""
    (mine / "my_rows.py").write_text(
        "def f(content):\n    for line in content.lines():\n        yield {'line': len(line)}\n"
    )

    _, found = check_sample(_processing("my_rows:f"))

    assert Level.OK == found.level
    assert " fields and a file of " in found.found
