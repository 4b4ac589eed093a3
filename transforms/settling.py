"""By which door a record leaves: its result is stored, its failure is stored, it has nothing to do, or it goes back."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from transforms.dead_letters import dead_letter_document
from transforms.events import EVENTS
from transforms.failures import EXCUSED_BY_OUTAGE, Fate, InternalError, RecordError
from transforms.outages import OUTPUT, SOURCE
from transforms.records import Door, Failure, Finished, Result, one_line
from transforms.result_names import dead_letter_name, result_name
from transforms.wall_clock import wall_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transforms.consumers import Consumer
    from transforms.outages import OutageGuard
    from transforms.process_wide import ProcessWide
    from transforms.settings import WriteSettings
    from transforms.stores import Store


@dataclass(frozen=True, slots=True)
class Outcome:
    """A record that has reached its door: `kind` is `stored`, or why it failed or had nothing to do."""

    source: Result | Failure | Finished
    door: Door
    kind: str


class Settler:
    """Stores what is to be stored and decides. Safe to call from several threads."""

    def __init__(self, settings: WriteSettings, *, results: Store, dead_letters: Store, guard: OutageGuard) -> None:
        """The stores may be the same."""
        self._settings = settings
        self._results = results
        self._dead_letters = dead_letters
        self._guard = guard
        self._now = wall_clock(settings.failed_at)

    def store(self, record: Result | Failure | Finished) -> Outcome:
        """Bring `record` to its door; a door other than `returned` means that all of it is stored. Never raises."""
        if isinstance(record, Finished):
            EVENTS.count(record.kind)
            EVENTS.ignored(record)
            return Outcome(record, Door.IGNORED, record.kind)
        if isinstance(record, Failure):
            return self._fail(record)
        started = time.monotonic()
        try:
            name = self._put(record)
        except RecordError as error:
            return self._fail(Failure.of(record.ref, error))
        except BaseException as error:  # noqa: BLE001 - the step's edge: the unforeseen has a fate, a panic of obstore too
            return self._fail(Failure.of(record.ref, InternalError.of(error)))
        seconds = time.monotonic() - started
        self._guard.succeeded(SOURCE)
        self._guard.succeeded(OUTPUT)
        EVENTS.stored(record.ref, name, seconds)
        return Outcome(record, Door.STORED, "stored")

    def _put(self, result: Result) -> str:
        """Store the rows, then the document that says where they are: who sees it finds them whole. Answer its name."""
        name = result_name(result.ref.bucket, result.ref.key, result.ref.etag)
        if result.rows is not None:
            try:
                self._results.put_file(result.rows.name, result.rows.rewound())
            finally:
                result.rows.close()
        self._results.put(name, result.document)
        return name

    def _fail(self, failure: Failure) -> Outcome:
        EVENTS.count(failure.kind)
        self._guard.failed(failure.kind, failure.delivery.message_id, failure.detail)
        fate = self._fate(failure)
        if fate is Fate.IGNORE:
            return Outcome(failure, Door.IGNORED, failure.kind)
        if fate is Fate.SET_ASIDE:
            error = self._set_aside(failure)
            if error is None:
                return Outcome(failure, Door.SET_ASIDE, failure.kind)
            failure = self._kept_from_dead_letters(failure, error)
        EVENTS.failed(failure)
        return Outcome(failure, Door.RETURNED, failure.kind)

    def _fate(self, failure: Failure) -> Fate:
        fate = self._settings.fates[failure.kind]
        if fate is not Fate.RETURN or failure.delivery.receive_count < self._settings.give_up_after:
            return fate
        excused = failure.kind in EXCUSED_BY_OUTAGE and self._guard.pausing
        return Fate.RETURN if excused else Fate.SET_ASIDE

    def _set_aside(self, failure: Failure) -> RecordError | None:
        """Store a dead letter; answer what kept it from being safe. Then the message must go back."""
        name = dead_letter_name(failure.delivery.message_id, failure.index)
        try:
            self._dead_letters.put(name, dead_letter_document(failure, failed_at=self._now()))
        except RecordError as error:
            return error
        except BaseException as error:  # noqa: BLE001 - as above
            return InternalError.of(error)
        self._guard.succeeded(OUTPUT)
        EVENTS.set_aside(failure, name)
        return None

    def _kept_from_dead_letters(self, failure: Failure, error: RecordError) -> Failure:
        """Say why a failure that should have been set aside goes back."""
        EVENTS.count(error.kind)
        self._guard.failed(error.kind, failure.delivery.message_id, error.detail)
        detail = f"no dead letter ({error.detail}) for {failure.kind}: {failure.detail}"
        return replace(failure, kind=error.kind, detail=one_line(detail))


def settle(consumer: Consumer, outcome: Outcome) -> None:
    """Tell the consumer that a record has reached its door."""
    source = outcome.source
    delivery = source.ref.delivery if isinstance(source, Result) else source.delivery
    index = source.ref.index if isinstance(source, Result) else source.index
    consumer.settle(delivery, index, outcome.door, kind=outcome.kind, bucket=source.ref.bucket if source.ref else None)


@dataclass(frozen=True, slots=True)
class LastWord:
    """Settles failures outside the flow, which may stand still, for a process that is about to end. It pickles."""

    consumer: ProcessWide[Consumer]
    settler: ProcessWide[Settler]

    def __call__(self, failures: Sequence[Failure]) -> None:
        """Bring them to their doors, tell SQS, give back what was not started and account for what is in hand."""
        consumer = self.consumer.get()
        for failure in failures:
            settle(consumer, self.settler.get().store(failure))
        consumer.close()
