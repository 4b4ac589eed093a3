"""The options of the commands that look after dead letters: some of the job's, and a few of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.logs import configure
from pipeline.option_help import About
from pipeline.option_kinds import FLAG, Kind, Option, read_moment
from pipeline.option_sources import read_command
from pipeline.option_table import BY_NAME
from pipeline.options import place_of_dead_letters, region_of
from transforms.dead_letter_box import DeadLetterBox
from transforms.failures import FailureKind, UserError, WriteFailedError
from transforms.sqs_queue import check_queue_url
from transforms.stores import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from transforms.dead_letter_box import DeadLetter

_SINCE = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_EPILOG = """\
The options of the job mean what they mean there, and are found in the environment too."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asks of a command."""

    queue_url: str
    notification_parser: str | None
    region: str
    place: str
    """Where the dead letters are."""
    kinds: frozenset[str]
    since: datetime | None
    queue_role_arn: str | None = None
    output_role_arn: str | None = None
    dry_run: bool = False
    json: bool = False

    def box(self) -> DeadLetterBox:
        """Open the dead letters that are asked for. Raises `UserError`."""
        store = open_store(self.place, region=self.region, role_arn=self.output_role_arn)
        return DeadLetterBox(store, kinds=self.kinds, since=self.since)


def letters(asked: Asked, box: DeadLetterBox) -> Iterator[DeadLetter]:
    """Read the dead letters. Raises `UserError` if their place cannot be listed."""
    try:
        yield from box
    except WriteFailedError as error:
        raise UserError(f"The dead letters in {asked.place} cannot be listed: {error.detail}") from error


def _read_since(text: str) -> datetime:
    ago = _SINCE.fullmatch(text)
    try:
        if ago:
            return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    except OverflowError as error:
        raise ValueError(text) from error
    return read_moment(text)


_KINDS = Kind(f"one of {', '.join(FailureKind)}", FailureKind, many=True, splits=True, choices=", ".join(FailureKind))
_TIME = Kind(
    "a time like 2026-01-31T09:00Z, which is UTC unless it says more, or an age like 30m, 24h or 7d", _read_since
)

OWN = {
    option.name: option
    for option in (
        Option(
            "kind",
            "Run",
            _KINDS,
            "Only failures of this kind, with commas or repeated.",
            default=(),
            default_is="every kind",
            metavar="KIND",
        ),
        Option(
            "since",
            "Run",
            _TIME,
            "Only what was set aside since a time (2026-01-31T09:00Z), or within an age (30m, 24h, 7d).",
            default_is="from the first on",
            metavar="TIME",
        ),
        Option("dry_run", "Run", FLAG, "Say what would be sent, and send and delete nothing.", default=False),
        Option("json", "Run", FLAG, "Write JSON Lines: each dead letter whole, with its name.", default=False),
    )
}
"""What the job does not have. A test of the documentation knows them from here."""
_PLACES = ("queue_url", "output", "dead_letters", "output_role_arn")
_LOGS = ("log_level", "log_format")

REDRIVE = About(
    usage="python -m pipeline redrive --queue_url=URL [--kind=KIND …] [--since=TIME] [--dry_run]",
    description="""\
Sends what was set aside back to the queue, each failed record alone, and deletes each dead letter once its message is
sent. Mend the cause first. Letters of other queues are left alone.""",
    epilog=f"{_EPILOG}\n\nExit codes: 0 all sent, 1 something could not be sent, 2 a mistake in one sentence.",
)
DEAD_LETTERS = About(
    usage="python -m pipeline dead_letters [--kind=KIND …] [--since=TIME] [--json]",
    description="Lists what was set aside, and explains each kind of failure.",
    epilog=f"{_EPILOG}\n\nExit codes: 0 listed, 1 something could not be read, 2 a mistake in one sentence.",
)


def parse_redrive(argv: Sequence[str], environ: Mapping[str, str]) -> Asked:
    """Read the options of `redrive`. Raises `UserError`; `--help` prints and exits."""
    asked = _parse(
        argv, environ, (*_PLACES, "queue_role_arn", "notification_parser", "kind", "since", "dry_run", *_LOGS), REDRIVE
    )
    if not asked.queue_url:
        raise UserError("There is no queue to send to: set --queue_url or SQS_QUEUE_URL")
    check_queue_url(asked.queue_url)
    return asked


def parse_dead_letters(argv: Sequence[str], environ: Mapping[str, str]) -> Asked:
    """Read the options of `dead_letters`. Raises `UserError`; `--help` prints and exits."""
    return _parse(argv, environ, (*_PLACES, "kind", "since", "json", *_LOGS), DEAD_LETTERS)


def _parse(argv: Sequence[str], environ: Mapping[str, str], names: Sequence[str], about: About) -> Asked:
    options = sorted((OWN.get(name) or BY_NAME[name] for name in names), key=lambda option: option.step)
    values = read_command(argv, environ, options, about)
    configure(values["log_level"], values["log_format"])
    return Asked(
        queue_url=values["queue_url"] or "",
        notification_parser=values.get("notification_parser"),
        region=region_of(environ, values["queue_url"] or ""),
        place=place_of_dead_letters(values),
        kinds=frozenset(values["kind"]),
        since=values["since"],
        queue_role_arn=values.get("queue_role_arn"),
        output_role_arn=values["output_role_arn"],
        dry_run=values.get("dry_run", False),
        json=values.get("json", False),
    )
