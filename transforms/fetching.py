"""What becomes of one reference: its content, a failure, or nothing because its result is there already."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from transforms.byte_budget import ByteBudget
from transforms.contents import Fetched, fetch
from transforms.events import EVENTS
from transforms.failures import FinishedKind, InternalError, RecordError
from transforms.records import Failure, Finished, ObjectRef
from transforms.result_names import result_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from transforms.objects import Objects
    from transforms.settings import FetchSettings
    from transforms.stores import Store


class Fetcher:
    """Safe to call from several threads."""

    def __init__(self, settings: FetchSettings, *, connect: Callable[[], Objects], results: Store) -> None:
        """`connect` pickles, so that a streamed content can be opened again elsewhere."""
        self._settings = settings
        self._connect = connect
        self._results = results
        self._budget = ByteBudget(settings.content_budget_bytes)

    def fetch(self, ref: ObjectRef) -> Fetched | Failure | Finished:
        """Fetch `ref`, unless the ledger says that it is done. Never raises."""
        try:
            if self.is_finished(ref):
                return Finished(ref.delivery, ref.index, FinishedKind.ALREADY_FINISHED, ref)
            started = time.monotonic()
            content = fetch(ref, connect=self._connect, settings=self._settings, budget=self._budget)
        except RecordError as error:
            return Failure.of(ref, error)
        except BaseException as error:  # noqa: BLE001 - the step's edge: the unforeseen has a fate, a panic of obstore too
            return Failure.of(ref, InternalError.of(error))
        if ref.etag is not None and content.ref.etag != ref.etag:
            EVENTS.count("overwritten_since")
        EVENTS.fetched(content.ref, content.size, time.monotonic() - started)
        return content

    def is_finished(self, ref: ObjectRef) -> bool:
        """Ask the output store, which is the ledger, where `ref` may have been done. Raises `WriteFailedError`."""
        if self._settings.reprocess or ref.etag is None:
            return False
        if ref.delivery.receive_count <= 1 and not self._settings.asks_ledger_always:
            return False
        return self._results.exists(result_name(ref.bucket, ref.key, ref.etag))
