"""What `record` says at its end: what it recorded, what it left out, and whether every message is visible again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.record_options import Asked
    from transforms.held_messages import HeldMessages
    from transforms.new_recording import NewRecording
    from transforms.redaction import Redaction

log = logging.getLogger(__name__)


@dataclass
class Counts:
    """What happened besides what was recorded."""

    most_receives: int | None = None
    """The queue's maxReceiveCount, if it has one."""
    left_out: int = 0
    at_their_last: int = 0
    """Messages that SQS moves at their next receive."""
    ended_early: bool = False


def summarise(
    asked: Asked, recording: NewRecording, held: HeldMessages, redaction: Redaction | None, counts: Counts
) -> None:
    """Log it."""
    sizes = recording.sizes
    said = [f"recorded {_some(recording.messages, 'message')}, {_some(len(sizes), 'object')} of {sum(sizes):,} bytes"]
    said += [f"{_some(recording.gone, 'object')} gone in S3"] * bool(recording.gone)
    said += [f"left out {_some(counts.left_out, 'message')}"] * bool(counts.left_out)
    log.info("%s; into %s", ", ".join(said), asked.into)
    if recording.messages and redaction is not None:
        _say_what_is_not_redacted(redaction)
    if counts.at_their_last:
        log.warning(
            "received as often as the queue's maxReceiveCount allows (%d times): %s, which SQS moves to the "
            "dead-letter queue at the next receive",
            counts.most_receives,
            _some(counts.at_their_last, "message"),
        )
    if held.not_given_back:
        count, within_s = _some(held.not_given_back, "message"), asked.visibility_timeout_s
        log.error("%s could not be given back, visible again within %d s; nothing was deleted", count, within_s)
    else:
        log.info("nothing was deleted; every message is visible in the queue again")


def _say_what_is_not_redacted(redaction: Redaction) -> None:
    log.warning("the contents of the objects are not redacted: look at them before you share them")
    if redaction.names_kept:
        log.warning(
            "account ids or addresses are in %s that %s kept; --redact_names redacts them",
            _some(redaction.names_kept, "bucket name or key", "bucket names or keys"),
            "is" if redaction.names_kept == 1 else "are",
        )


def _some(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
