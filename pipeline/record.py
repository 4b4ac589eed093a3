"""`python -m pipeline record`: messages of a live queue and their objects, copied into a directory for a replay."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING

from pipeline import signals
from pipeline.record_options import parse_record
from pipeline.record_summary import Counts, summarise
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
    receive = asked.receive
    queue = SqsQueue(receive.queue_url, receive.region, receive.queue_role_arn)
    recorder = Recorder(asked, queue, S3Objects(receive.region, asked.source_role_arn, asked.expected_bucket_owner))
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
        counts = Counts(self._most_receives)
        with held.kept():
            try:
                for message in held.receive(asked.max_messages):
                    self._add(message, recording, stop, counts)
            except _StoppedError:
                pass  # the object that was copied is not recorded; the rest is said below
            except (QueueError, WriteFailedError) as error:
                counts.ended_early = True
                log.error("it ends early: %s", error.detail)  # noqa: TRY400 - the sentence is enough
        summarise(asked, recording, held, self._redaction, counts)
        return 1 if counts.ended_early or counts.left_out or held.not_given_back else 0

    def _add(self, message: Message, recording: NewRecording, stop: threading.Event, counts: Counts) -> None:
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


def _urls(pairs: list[tuple[ObjectRef, ObjectRef]]) -> Iterator[str]:
    """Name the objects as they are recorded; a message may have a thousand."""
    shown = 3
    yield from (told.url for _, told in pairs[:shown])
    if len(pairs) > shown:
        yield f"and {len(pairs) - shown:,} more"
