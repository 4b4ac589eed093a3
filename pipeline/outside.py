"""What the job touches outside itself: one queue, source objects, and two stores. Tests put fakes in their place.

A mode is another queue, or other objects, behind the same interface; no step knows of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from transforms.backfill_queue import BackfillQueue
from transforms.consumers import Consumer
from transforms.directory_objects import DirectoryObjects
from transforms.finite_queue import FiniteQueue
from transforms.process_wide import ProcessWide
from transforms.recordings import Recordings
from transforms.s3_objects import S3Objects
from transforms.sqs_queue import SqsQueue
from transforms.stores import open_store

if TYPE_CHECKING:
    from pipeline.options import Settings
    from transforms.objects import Objects
    from transforms.queues import Queue
    from transforms.settings import FetchSettings, LeaseSettings, ReceiveSettings, WriteSettings
    from transforms.stores import Store


@dataclass(frozen=True, slots=True)
class Outside:
    """Handles that pickle; each worker process opens its own."""

    queue: ProcessWide[Queue]
    objects: ProcessWide[Objects]
    results: ProcessWide[Store]
    dead_letters: ProcessWide[Store]

    @classmethod
    def of(cls, settings: Settings) -> Outside:
        """The real one."""
        write = settings.write
        return cls(
            queue=_queue(settings.receive, settings.fetch),
            objects=_objects(settings.fetch),
            results=ProcessWide(_open_store, write.output, write),
            dead_letters=ProcessWide(_open_store, write.dead_letters, write),
        )

    def consumer(self, settings: Settings) -> ProcessWide[Consumer]:
        """The process's side of the queue, shared by the first step and the last."""
        return ProcessWide(_make_consumer, self.queue, settings.receive, settings.leases)


def _queue(receive: ReceiveSettings, fetch: FetchSettings) -> ProcessWide[Queue]:
    if receive.backfill:
        return ProcessWide(
            BackfillQueue, receive.backfill, receive.region, fetch.source_role_arn, fetch.expected_bucket_owner
        )
    if receive.replay:
        return ProcessWide(_open_recordings, receive.replay)
    return ProcessWide(SqsQueue, receive.queue_url, receive.region, receive.queue_role_arn)


def _objects(fetch: FetchSettings) -> ProcessWide[Objects]:
    if fetch.objects:
        return ProcessWide(DirectoryObjects, fetch.objects)
    return ProcessWide(S3Objects, fetch.region, fetch.source_role_arn, fetch.expected_bucket_owner)


def _open_recordings(pattern: str) -> Queue:
    return FiniteQueue(Recordings(pattern))


def _open_store(location: str, write: WriteSettings) -> Store:
    return open_store(location, region=write.region, fsync=write.fsync, role_arn=write.output_role_arn)


def _make_consumer(queue: ProcessWide[Queue], receive: ReceiveSettings, leases: LeaseSettings) -> Consumer:
    return Consumer(queue.get(), receive, leases)
