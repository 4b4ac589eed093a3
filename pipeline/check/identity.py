"""Who the job is, which roles it may assume, and whether its clock is right enough for signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.check.account import DENIED, NO_CREDENTIALS, RefusedError
from pipeline.check.findings import command, ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.check.findings import Finding
    from pipeline.check.subject import Subject

MAX_CLOCK_ERROR_S = 300
"""AWS refuses signatures that are older or younger."""
UNUSUAL_CLOCK_ERROR_S = 30
"""A clock that is kept right is never so wrong."""


def check_credentials(subject: Subject) -> Iterator[Finding]:
    """Whose are they? Only here STS is asked; a job without roles never does."""
    caller = subject.caller
    if not isinstance(caller, RefusedError):
        yield ok(caller)
    elif caller.code == NO_CREDENTIALS:
        yield problem(
            f"{caller.detail}: set AWS_PROFILE or AWS_ACCESS_KEY_ID, or run with an IAM role", command("configure")
        )
    elif caller.code:
        yield problem(f"AWS does not take them: {caller.detail}", command("configure", "list"))
    else:
        yield warning(f"STS does not answer, which only roles need: {caller.detail}")


def check_roles(subject: Subject) -> Iterator[Finding]:
    """Assume each role that an option names."""
    settings = subject.settings
    named = {
        "--queue_role_arn": settings.receive.queue_role_arn,
        "--source_role_arn": settings.fetch.source_role_arn,
        "--output_role_arn": settings.write.output_role_arn,
    }
    for option, arn in named.items():
        if arn is None:
            continue
        try:
            yield ok(f"{option}: {subject.account.caller(arn)}")
        except RefusedError as error:
            said = f"{option} cannot be assumed: {error.detail}"
            if error.code == DENIED:
                own = "the job" if isinstance(subject.caller, RefusedError) else subject.caller
                said = f"{said}; its trust policy must name {own}, too"
            yield problem(said, subject.allow(None, ["sts:AssumeRole"], arn) if error.code == DENIED else "")


def check_clock(subject: Subject) -> Iterator[Finding]:
    """Compare it with the date of an answer."""
    fix = "sudo timedatectl set-ntp true"
    try:
        error_s = subject.account.clock_error_s()
    except RefusedError as error:
        yield warning(f"cannot be compared, since SQS does not answer: {error.detail}")
        return
    said = f"{abs(error_s):,.0f} s {'ahead of' if error_s > 0 else 'behind'} AWS's"
    if abs(error_s) >= MAX_CLOCK_ERROR_S:
        yield problem(f"{said}; signatures are refused from {MAX_CLOCK_ERROR_S} s on", fix)
    elif abs(error_s) >= UNUSUAL_CLOCK_ERROR_S:
        yield warning(f"{said}; signatures are refused from {MAX_CLOCK_ERROR_S} s on", fix)
    else:
        yield ok(f"within {UNUSUAL_CLOCK_ERROR_S} s of AWS's")
