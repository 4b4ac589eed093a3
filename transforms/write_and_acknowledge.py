"""The last step: store each record's outcome, then delete its message, or give it back with a delay."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import apache_beam as beam
from apache_beam.metrics import Metrics

from transforms.events import EVENTS
from transforms.metric_table import beam_counter
from transforms.pools import WorkPool
from transforms.process_wide import ProcessWide
from transforms.records import Failure, Finished, Pulse, Result, Settled
from transforms.settling import LastWord, Outcome, Settler, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.consumers import Consumer
    from transforms.settings import WriteSettings
    from transforms.stores import Store

Record = Result | Failure | Finished

METRICS_NAMESPACE = "sqs_pipeline"
"""Of the job's counters among Beam's metrics."""
METRICS_EVERY_S = 1.0


class WriteAndAcknowledge(beam.PTransform):
    """Results and dead letters are stored; then, and only then, messages are deleted.

    Input: `Result`, `Failure`, `Finished`, and `Pulse`, which ends here.
    Output: one `Settled` for each delivery, after SQS took its delete or its return.
    Raises: nothing; what cannot be stored goes back to the queue.
    Repeats: a result and a dead letter have names made of what they are about, so a repeat overwrites its like.
    Memory: the documents being written, and two parts of each file.
    """

    def __init__(
        self,
        settings: WriteSettings,
        consumer: ProcessWide[Consumer],
        *,
        results: ProcessWide[Store],
        dead_letters: ProcessWide[Store],
    ) -> None:
        """`consumer` is the one that the references come from."""
        super().__init__()
        self._consumer = consumer
        self._settler = ProcessWide(_make_settler, settings, consumer, results, dead_letters)
        self._pool = ProcessWide(_start_pool, self._settler, settings.concurrency)
        self._stores = (results, dead_letters)
        self._fsync = settings.fsync

    @property
    def last_word(self) -> LastWord:
        """What settles failures when nothing flows any more and the process ends."""
        return LastWord(self._consumer, self._settler)

    def expand(self, processed: beam.PCollection) -> beam.PCollection[Settled]:
        """One ParDo."""
        write = _WriteFn(self._consumer, self._settler, self._pool, stores=self._stores, fsync=self._fsync)
        return processed | "Write" >> beam.ParDo(write).with_output_types(Settled)


class _WriteFn(beam.DoFn):
    """Brings records to their doors: in this thread where that is quick, in the pool where it waits on something."""

    def __init__(
        self,
        consumer: ProcessWide[Consumer],
        settler: ProcessWide[Settler],
        pool: ProcessWide[WorkPool[Record, Outcome]],
        *,
        stores: tuple[ProcessWide[Store], ...],
        fsync: bool,
    ) -> None:
        self._handles = (consumer, settler, pool)
        self._stores = stores
        self._fsync = fsync

    def setup(self) -> None:
        consumer, settler, pool = self._handles
        self._consumer = consumer.get()
        self._settler = settler.get()
        self._pool = pool.get()
        self._counted_at = 0.0
        self._waits = self._fsync or any(store.get().is_remote for store in self._stores)

    def process(self, element: Record | Pulse) -> Iterator[Settled]:
        if isinstance(element, Pulse):
            pass
        elif self._takes_time(element):
            self._pool.submit(element)
        else:
            settle(self._consumer, self._settler.store(element))
        for outcome in self._pool.completed():
            settle(self._consumer, outcome)
        yield from self._consumer.acknowledger.settled()
        if time.monotonic() - self._counted_at > METRICS_EVERY_S:
            self._count_in_beam()

    def finish_bundle(self) -> None:
        self._count_in_beam()

    def _count_in_beam(self) -> None:
        """Hand on what was counted since, for all steps: their threads are none that Beam counts in."""
        self._counted_at = time.monotonic()
        for event, amount in EVENTS.news().items():
            if (name := beam_counter(event)) is not None:
                Metrics.counter(METRICS_NAMESPACE, name).inc(amount)

    def _takes_time(self, record: Record) -> bool:
        if isinstance(record, Finished):
            return False
        return self._waits or (isinstance(record, Result) and record.rows is not None)


def _make_settler(
    settings: WriteSettings,
    consumer: ProcessWide[Consumer],
    results: ProcessWide[Store],
    dead_letters: ProcessWide[Store],
) -> Settler:
    return Settler(settings, results=results.get(), dead_letters=dead_letters.get(), guard=consumer.get().guard)


def _start_pool(settler: ProcessWide[Settler], threads: int) -> WorkPool[Record, Outcome]:
    return WorkPool(settler.get().store, threads=threads, name="write")
