"""`python -m pipeline check`: everything that can be wrong before the first message, and the command that mends it."""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from typing import TYPE_CHECKING

from pipeline.check import identity, notifications, output, policy, queue, retries, work
from pipeline.check.account import AwsAccount
from pipeline.check.findings import problem, wants_colour, warning, write_json, write_text
from pipeline.check.options import parse_check
from pipeline.check.subject import Subject
from pipeline.outside import Outside
from transforms.error_text import described
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.check.findings import Finding, Named

CHECKS: tuple[tuple[str, Callable[[Subject], Iterator[Finding]]], ...] = (
    ("credentials", identity.check_credentials),
    ("roles", identity.check_roles),
    ("clock", identity.check_clock),
    ("queue", queue.check_queue),
    ("rights", queue.check_rights),
    ("redrive policy", retries.check_redrive_policy),
    ("visibility", retries.check_visibility),
    ("retention", retries.check_retention),
    ("encryption", queue.check_encryption),
    ("queue policy", policy.check_policy),
    ("notifications", notifications.check_notifications),
    ("processor", work.check_processor),
    ("sample", work.check_sample),
    ("output", output.check_output),
    ("dead letters", output.check_dead_letters),
    ("memory", output.check_memory),
)
"""In the order in which they are best mended: S3 refuses to tell a queue whose policy does not let it send."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command and answer the exit code. Raises `UserError` for options that the job would refuse."""
    asked = parse_check(argv, environ)
    from pipeline import runners  # noqa: PLC0415 - imports Beam, which logs, and the log is set up only now

    plan = runners.plan(asked.settings, asked.beam_args)
    subject = Subject(
        plan.settings,
        Outside.of(plan.settings),
        AwsAccount(plan.settings),
        bucket=asked.bucket,
        sample=asked.sample,
    )
    found = findings(subject, workers_here=plan.workers_here)
    out = sys.stdout
    try:
        with redirect_stdout(sys.stderr):  # what the user's function prints is not ours
            if asked.json:
                return write_json(found, out).exit_code
            worst = write_text(found, out, colour=wants_colour(out, environ))
        if asked.bucket is None:
            out.write(
                "With --bucket=NAME it also looks at the way from that bucket to the queue, and tries an object.\n"
            )
        out.flush()
    except BrokenPipeError:  # whoever reads has seen enough; Python would flush once more at the end, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return 1
    return worst.exit_code


def findings(subject: Subject, *, workers_here: bool) -> Iterator[Named]:
    """Make every check, whatever the others found: one that fails itself is a problem, too."""
    if not workers_here:
        yield (
            "runner",
            warning("the workers are other machines: rights, disks, clock and memory are looked at from this one"),
        )
    for name, check in CHECKS:
        try:
            yield from ((name, finding) for finding in check(subject))
        except UserError as error:
            yield name, problem(str(error))
        except Exception as error:  # noqa: BLE001 - the others go on
            yield name, problem(f"this check itself failed: {described(error)}")
