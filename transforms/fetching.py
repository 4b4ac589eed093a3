"""What becomes of one reference: its content, a failure, or nothing because its result is there already."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.byte_budget import ByteBudget
from transforms.contents import Fetched, content_of
from transforms.events import EVENTS
from transforms.failures import FinishedKind, InternalError, RecordError
from transforms.records import Failure, Finished, ObjectRef
from transforms.result_names import result_name
from transforms.retrieval import retrieve

if TYPE_CHECKING:
    from collections.abc import Callable

    from transforms.objects import Objects
    from transforms.retrieval import Retrieved
    from transforms.settings import FetchSettings
    from transforms.stores import Store

INFLATED_LATE_BYTES = 64 * 1024
"""Stored bytes of an object that is not inflated before it is handed on: its content is then still in the processor's
cache when it is processed, and until then takes the memory of what is stored. A larger one would keep the thread that
hands on from the others for too long, and fits no cache."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A reference whose object is here, or open if it is large."""

    retrieved: Retrieved
    seconds: float
    """That it took."""

    @property
    def is_inflated_late(self) -> bool:
        """Whether whoever hands it on is to open it."""
        return isinstance(self.retrieved.stored, bytes) and len(self.retrieved.stored) <= INFLATED_LATE_BYTES

    def opened(self) -> Fetched | Failure:
        """Inflate what is small; asked once. Never raises."""
        ref, started = self.retrieved.ref, time.monotonic()
        try:
            content = content_of(self.retrieved)
        except RecordError as error:
            return Failure.of(ref, error)
        except BaseException as error:  # noqa: BLE001 - the step's edge: the unforeseen has a fate
            return Failure.of(ref, InternalError.of(error))
        if ref.etag is not None and content.ref.etag != ref.etag:
            EVENTS.count("overwritten_since")
        EVENTS.fetched(content.ref, content.size, self.seconds + time.monotonic() - started)
        return content


class Fetcher:
    """Safe to call from several threads."""

    def __init__(self, settings: FetchSettings, *, connect: Callable[[], Objects], results: Store) -> None:
        """`connect` pickles, so that a streamed content can be opened again elsewhere."""
        self._settings = settings
        self._connect = connect
        self._results = results
        self.budget = ByteBudget(settings.content_budget_bytes)
        """What is reserved for contents that are in memory."""

    def fetch(self, ref: ObjectRef) -> Arrived | Fetched | Failure | Finished:
        """Fetch `ref`, unless the ledger says that it is done. Never raises.

        Who hands on what `Arrived` opens it, in its own thread; that is quick, and waits for nothing.
        """
        try:
            if self.is_finished(ref):
                return Finished(ref.delivery, ref.index, FinishedKind.ALREADY_FINISHED, ref)
            started = time.monotonic()
            retrieved = retrieve(
                ref, connect=self._connect, settings=self._settings, budget=self.budget, pause=time.sleep
            )
        except RecordError as error:
            return Failure.of(ref, error)
        except BaseException as error:  # noqa: BLE001 - as above, a panic of obstore too
            return Failure.of(ref, InternalError.of(error))
        arrived = Arrived(retrieved, time.monotonic() - started)
        return arrived if arrived.is_inflated_late else arrived.opened()

    def is_finished(self, ref: ObjectRef) -> bool:
        """Ask the output store, which is the ledger, where `ref` may have been done. Raises `WriteFailedError`."""
        if self._settings.reprocess or ref.etag is None:
            return False
        if ref.delivery.receive_count <= 1 and not self._settings.asks_ledger_always:
            return False
        return self._results.exists(result_name(ref.bucket, ref.key, ref.etag))
