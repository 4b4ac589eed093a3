"""Where results and failures go, and the memory that the options allow."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pipeline.check.findings import command, ok, problem, warning
from pipeline.memory import peak_bytes
from pipeline.start_up import memory_warning
from transforms import aws
from transforms.failures import WriteFailedError
from transforms.settings import MIB
from transforms.stores import check_writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.check.findings import Finding
    from pipeline.check.subject import Subject
    from transforms.process_wide import ProcessWide
    from transforms.stores import Store


NEEDED = ("s3:PutObject", "s3:GetObject", "s3:AbortMultipartUpload", "s3:ListBucket")
"""What a store does in a bucket; a test compares the policies of the README and of deploy/aws."""


def check_output(subject: Subject) -> Iterator[Finding]:
    """Can results be stored?"""
    yield _writable(subject, subject.outside.results, subject.settings.write.output)


def check_dead_letters(subject: Subject) -> Iterator[Finding]:
    """Can failures be stored?"""
    yield _writable(subject, subject.outside.dead_letters, subject.settings.write.dead_letters)


def check_memory(subject: Subject) -> Iterator[Finding]:
    """Is there enough for the worst that the options allow?"""
    pipelines = max(subject.settings.run.pipelines, 1)
    said = memory_warning(subject.settings, pipelines)
    smaller = subject.settings.fetch.max_read_bytes // 4 // MIB
    if said:
        yield warning(said, f"--max_read_bytes={max(smaller, 1)}MiB")
    else:
        yield ok(f"{peak_bytes(subject.settings) * pipelines // MIB:,} MiB at worst, and there is more")


def _writable(subject: Subject, store: ProcessWide[Store], place: str) -> Finding:
    try:
        check_writable(store.get())
    except WriteFailedError as error:
        said = f"{place} cannot be used: {error.detail}"
        return problem(said, _make_writable(subject, place, error) if error.permanent else "")
    return ok(f"{place} can be written")


def _make_writable(subject: Subject, place: str, error: WriteFailedError) -> str:
    in_s3 = aws.s3_place(place)
    if in_s3 is None:
        return "" if "://" in place else f"mkdir -p {shlex.quote(place)} && chmod u+rwx {shlex.quote(place)}"
    bucket, prefix = in_s3
    if "NoSuchBucket" in error.detail:
        return command("s3", "mb", f"s3://{bucket}")
    arn = subject.bucket_arn(bucket)
    objects = f"{arn}/{prefix}/*" if prefix else f"{arn}/*"
    return subject.allow(subject.settings.write.output_role_arn, NEEDED, arn, objects)
