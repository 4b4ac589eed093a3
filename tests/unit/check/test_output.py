"""Where results and failures go, and what memory there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline import start_up
from pipeline.check.findings import Level, ok, problem, warning
from pipeline.check.output import check_dead_letters, check_memory, check_output
from pipeline.memory import peak_bytes
from pipeline.options import RunSettings
from tests.check_subjects import SETTINGS, a_subject
from tests.fakes import FakeStore
from transforms.failures import WriteFailedError
from transforms.settings import GIB, MIB, WriteSettings

if TYPE_CHECKING:
    from pipeline.options import Settings

ROLE = "arn:aws:iam::210987654321:role/writer"
ALLOWED = (
    "aws iam put-role-policy --role-name writer --policy-name sqs-pipeline-PutObject-results --policy-document "
    '\'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:PutObject","s3:GetObject",'
    '"s3:AbortMultipartUpload","s3:ListBucket"],"Resource":["arn:aws:s3:::results","arn:aws:s3:::results/logs/*"]}]}\''
)


class _Refusing(FakeStore):
    def __init__(self, detail: str, *, permanent: bool = True) -> None:
        super().__init__()
        self._error = WriteFailedError(detail)
        self._error.permanent = permanent

    def put(self, name: str, document: bytes) -> None:
        raise self._error


def _to(output: str, role_arn: str | None = None) -> Settings:
    return replace(SETTINGS, write=WriteSettings(output=output, dead_letters=f"{output}/_x", output_role_arn=role_arn))


def test_places_that_can_be_written_are_ok_and_hold_nothing_afterwards() -> None:
    """The probe is removed."""
    results, dead_letters = FakeStore(), FakeStore()
    subject = a_subject(results=results, dead_letters=dead_letters)

    assert [ok("output can be written"), ok("output/_dead_letters can be written")] == [
        *check_output(subject),
        *check_dead_letters(subject),
    ]
    assert [] == [*results._documents, *dead_letters._documents]


@pytest.mark.parametrize(
    ("settings", "detail", "fix"),
    [
        (_to("my out"), "denied", "mkdir -p 'my out' && chmod u+rwx 'my out'"),
        (_to("gs://there"), "denied", ""),
        (_to("s3://results/logs"), "404 NoSuchBucket: no", "aws s3 mb s3://results"),
        (
            _to("s3://results/logs", ROLE),
            "403 AccessDenied",
            ALLOWED,
        ),
    ],
)
def test_a_place_that_cannot_be_written_gets_the_command_for_its_kind(
    settings: Settings, detail: str, fix: str
) -> None:
    """A directory, a bucket, a right; of other clouds we know none."""
    place = settings.write.output

    assert [problem(f"{place} cannot be used: {detail}", fix)] == list(
        check_output(a_subject(settings=settings, results=_Refusing(detail)))
    )


def test_a_whole_bucket_of_results_is_allowed_whole() -> None:
    """There is no prefix to keep to."""
    (found,) = check_output(a_subject(settings=_to("s3://results"), results=_Refusing("403 AccessDenied")))

    assert '"arn:aws:s3:::results/*"' in found.fix


def test_an_outage_of_the_output_has_no_command() -> None:
    """The job would wait for it."""
    store = _Refusing("timed out", permanent=False)

    assert [problem("output/_dead_letters cannot be used: timed out")] == list(
        check_dead_letters(a_subject(dead_letters=store))
    )


def test_memory_is_compared_with_the_worst_that_the_options_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest part of it is what read() may answer."""
    monkeypatch.setattr(start_up, "available_bytes", lambda: 64 * GIB)
    assert [ok(f"{peak_bytes(SETTINGS) // MIB} MiB at worst, and there is more")] == list(check_memory(a_subject()))

    monkeypatch.setattr(start_up, "available_bytes", lambda: GIB // 2)
    (found,) = check_memory(a_subject())

    assert (Level.WARNING, "--max_read_bytes=64MiB") == (found.level, found.fix)

    three = replace(SETTINGS, run=RunSettings(pipelines=3))
    assert "in 3 pipelines" in next(iter(check_memory(a_subject(settings=three)))).found
    assert warning(start_up.memory_warning(SETTINGS, 1), found.fix) == found
