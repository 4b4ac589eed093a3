"""The options of `check`: all of the job's, and a few of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.logs import configure
from pipeline.option_help import About
from pipeline.option_kinds import BUCKET, FLAG, Kind, Option
from pipeline.option_sources import read_sources
from pipeline.option_table import OPTIONS
from pipeline.options import settings_of
from transforms import aws
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.options import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asks to have checked."""

    settings: Settings
    beam_args: Sequence[str]
    bucket: str | None
    sample: tuple[str, str] | None
    """Bucket and key."""
    json: bool


def _read_object(text: str) -> tuple[str, str]:
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    if aws.s3_place(f"{scheme}://{bucket}") is None or not bucket or not key:
        raise ValueError(text)
    return bucket, key


_OBJECT = Kind("an object like s3://bucket/key", _read_object)

OWN = {
    option.name: option
    for option in (
        Option(
            "bucket",
            "Run",
            BUCKET,
            "The bucket that should tell the queue: looks at the queue's policy, at the bucket's notifications, and at "
            "one of its objects.",
            default_is="none: those are not looked at",
            metavar="NAME",
        ),
        Option(
            "sample",
            "Run",
            _OBJECT,
            "An object to read and to run your function over; nothing is stored.",
            default_is="the newest of the first thousand of --bucket",
            metavar="s3://BUCKET/KEY",
        ),
        Option("json", "Run", FLAG, "Write one JSON object.", default=False),
    )
}
"""What the job does not have. A test of the documentation knows them from here."""

CHECK = About(
    usage="python -m pipeline check --queue_url=URL [--bucket=NAME] [--sample=s3://BUCKET/KEY] [--json]",
    description="""\
Verifies everything before the first message. Give it the options and the environment of the job. Each line is ok, a
warning or a problem, with the command that mends it. No message is received, and no result stored; your function is
called for the sample.""",
    epilog="Exit codes: 0 all is ok, 1 there are warnings, 2 there are problems, or a mistake in one sentence.",
)


def parse_check(argv: Sequence[str], environ: Mapping[str, str]) -> Asked:
    """Read the options of `check`. Raises `UserError` as the job's do; `--help` prints and exits."""
    said, rest = read_sources(argv, environ, (*OPTIONS, *OWN.values()), CHECK)
    values = {name: said[name].value if name in said else option.default for name, option in OWN.items()}
    settings = settings_of(said, environ)
    if settings.receive.backfill:
        raise UserError(
            f"{settings.receive.queue_url} is no queue, and check looks at one; --dry_run looks at a backfill"
        )
    if settings.receive.replay:
        raise UserError(f"--replay is {settings.receive.replay}; check looks at a queue, which a replay has not")
    # The lines of a run, `processed s3://…`, are not what is asked for.
    configure(settings.run.log_level if "log_level" in said else "WARNING", settings.run.log_format)
    return Asked(settings, rest, values["bucket"], values["sample"], values["json"])
