"""The work itself, tried once: read an object as the job does, and run the user's function over it."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pipeline.check.account import DENIED, RefusedError
from pipeline.check.findings import Finding, command, ok, problem, warning
from pipeline.start_up import load_functions
from transforms.byte_budget import ByteBudget
from transforms.contents import fetch
from transforms.failures import (
    BucketGoneError,
    ForbiddenError,
    ObjectGoneError,
    RecordError,
    UserError,
)
from transforms.processing import Processor
from transforms.records import Delivery, Failure, ObjectRef
from transforms.settings import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.check.account import Stored
    from pipeline.check.subject import Subject
    from transforms.contents import Fetched

MAX_SAMPLE_BYTES = 64 * MIB
"""Of an object that the check chooses by itself: nobody wants to wait for more."""
_LAST_PLACE = re.compile(r'^ *File "([^"]+)", line (\d+)', re.MULTILINE)


def check_processor(subject: Subject) -> Iterator[Finding]:
    """Can the user's functions be imported?"""
    settings = subject.settings
    load_functions(settings)  # its `UserError` is the finding
    parser = settings.receive.notification_parser
    yield ok(f"{settings.process.processor} can be called" + (f", and so can {parser}" if parser else ""))


def check_sample(subject: Subject) -> Iterator[Finding]:
    """Read an object as the job does, and run the function over it. Nothing is stored."""
    if subject.sample is None and subject.bucket is None:
        return
    chosen = subject.sample or _choose(subject, subject.bucket or "")
    if isinstance(chosen, Finding):
        yield chosen
        return
    bucket, key = chosen
    ref = ObjectRef(_nobodys(subject.settings.receive.queue_url), 0, bucket, key)
    try:
        settings = subject.settings.fetch
        budget = ByteBudget(settings.content_budget_bytes)
        content = fetch(ref, connect=subject.outside.objects.get, settings=settings, budget=budget)
    except RecordError as error:
        yield _not_read(subject, ref, error)
        return
    yield ok(f"{ref.url} can be read: {content.size:,} bytes as stored")
    yield _processed(subject, content)


def _choose(subject: Subject, bucket: str) -> tuple[str, str] | Finding:
    """Answer bucket and key of the newest object that the job would process, or why there is none."""
    try:
        listed = subject.account.objects(bucket)
    except RefusedError as error:
        fix = subject.allow(subject.settings.fetch.source_role_arn, ["s3:ListBucket"], subject.bucket_arn(bucket))
        said = f"{bucket} cannot be listed: {error.detail}"
        if error.code != DENIED:
            return warning(said)
        return warning(f"{said}; without s3:ListBucket S3 also calls a missing object forbidden", fix)
    fitting = [each for each in listed if _is_fitting(subject, bucket, each)]
    if not fitting:
        return warning(f"no object to try among the first {len(listed):,} of {bucket}", f"--sample=s3://{bucket}/KEY")
    return bucket, max(fitting, key=lambda each: each.modified).key


def _is_fitting(subject: Subject, bucket: str, stored: Stored) -> bool:
    receive = subject.settings.receive
    is_ours = any(bucket == ours and stored.key.startswith(prefix) for ours, prefix in receive.own_prefixes)
    is_wanted = not receive.key_globs or any(fnmatchcase(stored.key, glob) for glob in receive.key_globs)
    return 0 < stored.size <= MAX_SAMPLE_BYTES and is_wanted and not is_ours


def _nobodys(queue_url: str) -> Delivery:
    now = datetime.now(UTC)
    return Delivery(queue_url, "check", None, receive_count=1, sent_at=now, received_at=now, body="")


def _not_read(subject: Subject, ref: ObjectRef, error: RecordError) -> Finding:
    arn = subject.bucket_arn(ref.bucket)
    said = f"{ref.url} would be {error.kind}: {error.detail}"
    owner = subject.settings.fetch.expected_bucket_owner
    if isinstance(error, ForbiddenError):
        said += f"; or the bucket is not of --expected_bucket_owner, {owner}" if owner else ""
        # A role that may list is told that an object is missing.
        actions = ("s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket")
        return problem(said, subject.allow(subject.settings.fetch.source_role_arn, actions, arn, f"{arn}/*"))
    if isinstance(error, BucketGoneError):
        return problem(said, command("s3", "mb", f"s3://{ref.bucket}"))
    if isinstance(error, ObjectGoneError):
        return problem(said, command("s3", "ls", "--recursive", f"s3://{ref.bucket}/"))
    if subject.settings.write.fates[error.kind] == "set_aside":  # this object's affair, not the job's
        return warning(said, f"--sample=s3://{ref.bucket}/ANOTHER-KEY")
    return problem(said, command("s3", "cp", f"s3://{ref.bucket}/{ref.key}", "-"))


def _processed(subject: Subject, content: Fetched) -> Finding:
    spec, started = subject.settings.process.processor, time.monotonic()
    try:
        processor = Processor(subject.settings.process)
    except UserError:
        content.close()
        return warning(f"not processed, because {spec} cannot be imported")
    try:
        outcome = processor.process(content)
    finally:
        processor.close()
    if isinstance(outcome, Failure):
        places = _LAST_PLACE.findall(outcome.traceback or "")
        where = f" ({places[-1][0]}, line {places[-1][1]})" if places else ""
        said = f"{spec} gives no result: {outcome.kind}: {outcome.detail}{where}"
        return problem(said, f"mend {spec.partition(':')[0]} and run this check again")
    took_s, rows = time.monotonic() - started, ""
    if outcome.rows is not None:
        rows = f" and a file of {outcome.rows.size:,} bytes"
        outcome.rows.close()
    fields = len(json.loads(outcome.document))
    return ok(f"{spec} makes a result of {len(outcome.document):,} bytes in {fields} fields{rows}, in {took_s:.3f} s")
