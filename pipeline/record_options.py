"""The options of `record`: some of the job's, and a few of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.logs import configure
from pipeline.option_help import About
from pipeline.option_kinds import FLAG, INTEGER, TEXT, Bounds, Option
from pipeline.option_sources import read_command
from pipeline.option_table import BY_NAME
from pipeline.options import region_of
from transforms.failures import UserError
from transforms.settings import ReceiveSettings
from transforms.sqs_queue import check_queue_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OWN = {
    option.name: option
    for option in (
        Option(
            "max_messages",
            "Receive",
            INTEGER,
            "How many messages to receive. Each costs its message one receive; all are held at once, until the end.",
            default=10,
            bounds=Bounds(1, 1000),
        ),
        Option(
            "into",
            "Write",
            TEXT,
            "The directory to make the recording in, new or empty.",
            default_is="none: it must be given",
            metavar="DIR",
        ),
        Option(
            "redact",
            "Write",
            FLAG,
            "Replace account ids, principals, addresses, request ids and what SNS signs, the same by the same. Bucket "
            "names and keys stay, and so does what is in the objects.",
            default=False,
        ),
        Option(
            "redact_names",
            "Write",
            FLAG,
            "Redact bucket names and keys, too (AWSLogs/123456789012/…); the recorded objects are named accordingly.",
            default=False,
        ),
    )
}
"""What the job does not have, or has otherwise. A test of the documentation knows them from here."""
_NAMES = (
    *("queue_url", "queue_role_arn", "max_messages", "buckets", "key_glob", "notification_parser"),
    *("visibility_timeout_s", "source_role_arn", "expected_bucket_owner", "max_object_bytes"),
    *("into", "redact", "redact_names", "log_level", "log_format"),
)

RECORD = About(
    usage="python -m pipeline record --queue_url=URL --into=DIR [--max_messages=N] [--redact]",
    description="""\
Copies messages of a queue and their objects into a directory, for a replay, and deletes nothing. Messages are hidden
from the job meanwhile, and visible again at the end, also after Ctrl-C. It ends early when nothing new came
for 10 seconds.

Each recorded message costs one receive: it counts towards --give_up_after of the job, and towards maxReceiveCount of
the queue, past which SQS moves a message to the queue's dead-letter queue.""",
    epilog="""\
The options of the job mean what they mean there, and are found in the environment too. Objects that --buckets and
--key_glob do not let in are not copied; their messages are recorded.

Exit codes: 0 recorded, or stopped; 1 something was left out, or could not be given back; 2 a mistake in one
sentence.""",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asks of `record`."""

    receive: ReceiveSettings
    """Which queue, how to poll it, and which objects to copy."""
    into: Path
    max_messages: int = OWN["max_messages"].default
    visibility_timeout_s: int = BY_NAME["visibility_timeout_s"].default
    max_object_bytes: int = BY_NAME["max_object_bytes"].default
    redact: bool = False
    redact_names: bool = False
    source_role_arn: str | None = None
    expected_bucket_owner: str | None = None


def parse_record(argv: Sequence[str], environ: Mapping[str, str]) -> Asked:
    """Read the options. Raises `UserError`; `--help` prints and exits."""
    options = [OWN.get(name) or BY_NAME[name] for name in _NAMES]
    values = read_command(argv, environ, options, RECORD)
    configure(values["log_level"], values["log_format"])
    if not values["queue_url"]:
        raise UserError("There is no queue to record from: set --queue_url or SQS_QUEUE_URL")
    check_queue_url(values["queue_url"])
    if not values["into"]:
        raise UserError("There is no place for the recording: set --into=DIR")
    names = ("queue_url", "queue_role_arn", "buckets", "notification_parser")
    return Asked(
        receive=ReceiveSettings(
            region=region_of(environ, values["queue_url"]),
            key_globs=values["key_glob"],
            **{name: values[name] for name in names},
        ),
        into=Path(values["into"]),
        max_messages=values["max_messages"],
        visibility_timeout_s=values["visibility_timeout_s"],
        max_object_bytes=values["max_object_bytes"],
        redact=values["redact"] or values["redact_names"],
        redact_names=values["redact_names"],
        source_role_arn=values["source_role_arn"],
        expected_bucket_owner=values["expected_bucket_owner"],
    )
