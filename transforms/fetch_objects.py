"""The second step: fetch each object and gunzip it, many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apache_beam as beam

from transforms.contents import Fetched
from transforms.fetching import Arrived, Fetcher
from transforms.pools import WorkPool
from transforms.process_wide import ProcessWide
from transforms.records import Failure, Finished, ObjectRef, Pulse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.objects import Objects
    from transforms.settings import FetchSettings
    from transforms.stores import Store

FetchedOrNot = Fetched | Failure | Finished | Pulse
Complete = Arrived | Fetched | Failure | Finished


class FetchObjects(beam.PTransform):
    """References become contents.

    Input: `ObjectRef`; everything else passes through untouched.
    Output: `Fetched`; `Finished` where the result exists already; `Failure` (gone, corrupt, too large, forbidden, …).
    Raises: nothing; the unforeseen is a `Failure` of kind `internal_error`.
    Repeats: reads only, so a repeat is harmless.
    Memory: at most `content_budget_bytes` of contents, however many threads; larger objects are streams.
    """

    def __init__(self, settings: FetchSettings, *, objects: ProcessWide[Objects], results: ProcessWide[Store]) -> None:
        """`objects` is where contents come from; `results` is the ledger of what is already done."""
        super().__init__()
        self._pool = ProcessWide(_start_pool, settings, objects, results)

    def expand(self, references: beam.PCollection) -> beam.PCollection[FetchedOrNot]:
        """One ParDo."""
        return references | "Fetch" >> beam.ParDo(_FetchFn(self._pool)).with_output_types(FetchedOrNot)


class _FetchFn(beam.DoFn):
    """Hands references to the pool, and on what is complete: not before the pool has all that came at once.

    What is handed on is processed and stored meanwhile, and references that came last would wait for that.
    """

    def __init__(self, handle: ProcessWide[WorkPool[ObjectRef, Complete]]) -> None:
        self._handle = handle

    def setup(self) -> None:
        self._pool = self._handle.get()

    def process(self, element: ObjectRef | FetchedOrNot) -> Iterator[FetchedOrNot]:
        if isinstance(element, ObjectRef):
            self._pool.submit(element)
            return
        yield element
        for complete in self._pool.completed():
            yield complete.opened() if isinstance(complete, Arrived) else complete


def _start_pool(
    settings: FetchSettings, objects: ProcessWide[Objects], results: ProcessWide[Store]
) -> WorkPool[ObjectRef, Complete]:
    fetcher = Fetcher(settings, connect=objects.get, results=results.get())
    return WorkPool(fetcher.fetch, threads=settings.concurrency, name="fetch")
