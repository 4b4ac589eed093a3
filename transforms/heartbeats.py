"""The heartbeat: a short visibility timeout, extended for as long as the work takes.

A crashed worker's messages return within one visibility timeout, and an object that takes two hours does not.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from transforms.events import EVENTS
from transforms.leases import Lease, LeaseBook, Stage
from transforms.queues import SQS_MAX_BATCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.queues import Queue

log = logging.getLogger(__name__)


class Heartbeat:
    """One thread that extends the leases which are past half of their visibility timeout."""

    def __init__(self, queue: Queue, book: LeaseBook) -> None:
        """Nothing runs until `start`."""
        self._queue = queue
        self._book = book
        self._sending = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat, ten times in a visibility timeout."""
        self._thread.start()

    def close(self) -> None:
        """Stop beating."""
        self._closed.set()

    def await_extension(self) -> None:
        """Wait for the extension under way, if any: a lease that is leaving must not be extended after its return."""
        with self._sending:
            pass

    def beat(self) -> None:
        """Extend what is due. A refused or late lease is lost: SQS delivers its message to somebody else."""
        for batch in _batches(self._book.due(self._book.clock())):
            with self._sending:
                self._extend([lease for lease in batch if lease.stage is not Stage.LEAVING])

    def _extend(self, leases: list[Lease]) -> None:
        if not leases:
            return
        visibility_s = self._book.settings.visibility_timeout_s
        asked_at = self._book.clock()
        receipts = [lease.receipt for lease in leases]
        try:
            refused = {r.message_id: r for r in self._queue.change_visibility(receipts, [visibility_s] * len(receipts))}
        except Exception as error:  # noqa: BLE001 - a thread that died of the unforeseen would end the job's work in silence
            log.debug("extension failed, will be tried again: %s", error)
            self._mark_lost([lease for lease in leases if lease.deadline <= asked_at])
            return
        for lease in leases:
            if lease.message_id not in refused:
                self._book.extended(lease, asked_at + visibility_s)
                EVENTS.count("leases_extended")
        expired = {receipt for receipt in receipts if (r := refused.get(receipt.message_id)) and r.expired}
        # A copy that came meanwhile brought a new handle.
        self._mark_lost([lease for lease in leases if lease.receipt in expired])

    def _mark_lost(self, leases: list[Lease]) -> None:
        for lease in leases:
            if lease.stage is Stage.LEAVING:  # its delete was faster than its extension
                continue
            lease.lost = True
            EVENTS.count("leases_lost")
            log.warning(
                "lease lost: message %s is visible again while it is being worked on",
                lease.message_id,
                extra={"fields": lease.correlation()},
            )

    def _run(self) -> None:
        interval_s = self._book.settings.visibility_timeout_s / 10
        while not self._closed.wait(interval_s):
            self.beat()


def _batches(leases: list[Lease]) -> Iterator[list[Lease]]:
    for first in range(0, len(leases), SQS_MAX_BATCH):
        yield leases[first : first + SQS_MAX_BATCH]
