"""`python -m pipeline record`: messages of a live queue and their objects, copied into a directory for a replay."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline import signals
from pipeline.record_options import parse_record
from pipeline.start_up import max_receive_count
from transforms.failures import QueueError, RecordError, UserError, WriteFailedError
from transforms.held_messages import HeldMessages
from transforms.new_recording import NewRecording
from transforms.notifications import AdmissionRules
from transforms.recorded_form import RecordedForm
from transforms.redaction import Redaction
from transforms.s3_objects import S3Objects
from transforms.sqs_queue import SqsQueue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.record_options import Asked
    from transforms.objects import Objects
    from transforms.queues import Message, Queue
    from transforms.records import ObjectRef

log = logging.getLogger(__name__)

STOPPING = "stopping: all messages go back to the queue, what is recorded stays; a second signal leaves at once"


class _StoppedError(Exception):
    """The user asked to stop while an object was copied."""


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run the command and answer the exit code. Raises `UserError`."""
    asked = parse_record(argv, environ)
    recorder = Recorder(asked, SqsQueue(asked.receive.queue_url, asked.receive.region), S3Objects(asked.receive.region))
    recorder.check_queue()
    stop = threading.Event()
    with closing(NewRecording(asked.into, max_object_bytes=asked.max_object_bytes)) as recording:
        signals.install(stop, STOPPING)
        return recorder.record(recording, stop)


class Recorder:
    """One run of the command, with fakes or the real thing."""

    def __init__(self, asked: Asked, queue: Queue, objects: Objects) -> None:
        """Raises `UserError` if there is no such parser."""
        self._asked = asked
        self._queue = queue
        self._objects = objects
        self._redaction = Redaction(names=asked.redact_names) if asked.redact else None
        rules = AdmissionRules.of(asked.receive)
        self._form = RecordedForm(rules, self._redaction, queue_url=asked.receive.queue_url)
        self._most_receives: int | None = None

    def check_queue(self) -> None:
        """Ask the queue what it is. Raises `UserError` if it cannot be recorded from."""
        url = self._asked.receive.queue_url
        try:
            attributes = self._queue.attributes()
        except QueueError as error:
            raise UserError(f"The queue {url} cannot be used: {error.detail}") from error
        if attributes.get("FifoQueue") == "true":
            raise UserError(
                f"The queue {url} is a FIFO queue; S3 notifies standard queues only, and the job reads those"
            )
        self._most_receives = max_receive_count(attributes)
        if self._most_receives == 1:
            raise UserError(
                "The queue's maxReceiveCount is 1, and recording a message costs a receive: at the next one SQS would "
                "move it to the dead-letter queue, and the job would never see it; raise maxReceiveCount first"
            )

    def record(self, recording: NewRecording, stop: threading.Event) -> int:
        """Record until there is enough, the queue is quiet or `stop` is set, and answer the exit code."""
        asked = self._asked
        held = HeldMessages(self._queue, visibility_timeout_s=asked.visibility_timeout_s, stop=stop)
        counts = _Counts()
        with held.kept():
            try:
                for message in held.receive(asked.max_messages):
                    self._add(message, recording, stop, counts)
            except _StoppedError:
                pass  # the object that was copied is not recorded; the rest is said below
            except (QueueError, WriteFailedError) as error:
                counts.ended_early = True
                log.error("it ends early: %s", error.detail)  # noqa: TRY400 - the sentence is enough
        self._summarise(recording, held, counts)
        return 1 if counts.ended_early or counts.left_out or held.not_given_back else 0

    def _add(self, message: Message, recording: NewRecording, stop: threading.Event, counts: _Counts) -> None:
        def check() -> None:
            if stop.is_set():
                raise _StoppedError

        check()
        counts.at_their_last += self._most_receives is not None and message.receive_count >= self._most_receives
        try:
            told, pairs = self._form.of(message)
            recording.add(told, pairs, self._objects, check)
        except WriteFailedError:
            raise
        except RecordError as error:
            counts.left_out += 1
            log.warning("left out message %s: %s", message.message_id, error.detail)
        else:
            log.info("recorded message %s: %s", message.message_id, ", ".join(_urls(pairs)) or "no object")

    def _summarise(self, recording: NewRecording, held: HeldMessages, counts: _Counts) -> None:
        sizes = recording.sizes
        said = [
            f"recorded {_some(recording.messages, 'message')}, {_some(len(sizes), 'object')} of {sum(sizes):,} bytes"
        ]
        said += [f"{_some(recording.gone, 'object')} gone in S3"] * bool(recording.gone)
        said += [f"left out {_some(counts.left_out, 'message')}"] * bool(counts.left_out)
        log.info("%s; into %s", ", ".join(said), self._asked.into)
        if recording.messages and self._redaction is not None:
            _say_what_is_not_redacted(self._redaction)
        if counts.at_their_last:
            log.warning(
                "received as often as the queue's maxReceiveCount allows (%d times): %s, which SQS moves to the "
                "dead-letter queue at the next receive",
                self._most_receives,
                _some(counts.at_their_last, "message"),
            )
        if held.not_given_back:
            count, within_s = _some(held.not_given_back, "message"), self._asked.visibility_timeout_s
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


@dataclass
class _Counts:
    left_out: int = 0
    at_their_last: int = 0
    """Messages that SQS moves at their next receive."""
    ended_early: bool = False


def _urls(pairs: list[tuple[ObjectRef, ObjectRef]]) -> Iterator[str]:
    """Name the objects as they are recorded; a message may have a thousand."""
    shown = 3
    yield from (told.url for _, told in pairs[:shown])
    if len(pairs) > shown:
        yield f"and {len(pairs) - shown:,} more"


def _some(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
