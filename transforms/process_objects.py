"""The third step: the user's function over each content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apache_beam as beam

from transforms.contents import Fetched
from transforms.pools import WorkPool
from transforms.process_wide import ProcessWide
from transforms.processing import Processor
from transforms.records import Failure, Finished, Pulse, Result

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.processing import LastWord
    from transforms.settings import ProcessSettings

Processed = Result | Failure | Finished | Pulse


class ProcessObjects(beam.PTransform):
    """Contents become results.

    Input: `Fetched`; everything else passes through untouched.
    Output: `Result`; `Failure` where the function raised, returned rubbish, or its content turned out broken.
    Raises: nothing, whatever the function does; one that hangs for `max_processing_s` is settled out of turn, and the
    process ends.
    Repeats: the function is called again for a message that comes again; it should not mind.
    Memory: what the function keeps. One content at a time and thread.

    With a concurrency of 1 contents that are in memory are processed in the bundle's own thread, which costs no
    hand-over; larger ones are streamed in one thread beside it, so that an hour-long object holds up nobody.
    """

    def __init__(self, settings: ProcessSettings, last_word: LastWord | None = None) -> None:
        """`settings.processor` names the function, or a class; `last_word`, which pickles, settles what hangs."""
        super().__init__()
        self._inline = settings.concurrency == 1
        self._processor = ProcessWide(Processor, settings, last_word)
        self._pool = ProcessWide(_start_pool, self._processor, settings.concurrency)

    def expand(self, fetched: beam.PCollection) -> beam.PCollection[Processed]:
        """One ParDo."""
        process = _ProcessFn(self._processor, self._pool, inline=self._inline)
        return fetched | "Process" >> beam.ParDo(process).with_output_types(Processed)


class _ProcessFn(beam.DoFn):
    """Calls the function, or hands the content to the pool."""

    def __init__(
        self,
        processor: ProcessWide[Processor],
        pool: ProcessWide[WorkPool[Fetched, Result | Failure]],
        *,
        inline: bool,
    ) -> None:
        self._handles = (processor, pool)
        self._inline = inline

    def setup(self) -> None:
        processor, pool = self._handles
        self._processor = processor.get()
        self._pool = pool.get()

    def process(self, element: Fetched | Processed) -> Iterator[Processed]:
        if not isinstance(element, Fetched):
            yield element
        elif self._inline and element.in_memory:
            yield self._processor.process(element)
        else:
            self._pool.submit(element)
        yield from self._pool.completed()


def _start_pool(processor: ProcessWide[Processor], threads: int) -> WorkPool[Fetched, Result | Failure]:
    return WorkPool(processor.get().process, threads=threads, name="process")
