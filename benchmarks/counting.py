"""What counting costs: CPU time of one object's events, and of one snapshot. `python -m benchmarks.counting`."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime

from transforms.events import EventLog
from transforms.leases import LeaseBook
from transforms.records import Delivery, Door, ObjectRef
from transforms.settings import LeaseSettings

OBJECTS = 20_000
ROUNDS = 5
MESSAGES_HELD = 200


def main() -> None:
    """Print the best of some rounds: what else runs on the machine only adds."""
    logging.getLogger("sqs_pipeline").setLevel(logging.ERROR)
    ref = _reference("message")
    print(f"events of one object     {min(_events_s(ref) for _ in range(ROUNDS)) / OBJECTS * 1e6:8.2f} µs")
    print(f"one snapshot, as JSON    {min(_snapshot_s() for _ in range(ROUNDS)) * 1e6:8.0f} µs")


def _events_s(ref: ObjectRef) -> float:
    events, began = EventLog(), time.process_time()
    for _ in range(OBJECTS):
        events.received()
        events.fetched(ref, 9_000, 0.01)
        events.processed(ref, 0.001, 80_000)
        events.stored(ref, "name", 0.0002)
        events.settled(Door.STORED, "stored", 0.1)
    return time.process_time() - began


def _snapshot_s() -> float:
    book = LeaseBook(LeaseSettings())
    for number in range(MESSAGES_HELD):
        ref = _reference(f"message-{number}")
        book.open(ref.delivery, size=9_000, asked_at=0.0, ref=ref)
    began = time.process_time()
    json.dumps(book.account())
    return time.process_time() - began


def _reference(message_id: str) -> ObjectRef:
    now = datetime.now(UTC)
    return ObjectRef(Delivery("queue", message_id, "receipt", 1, now, now, "{}"), 0, "bucket", "key.gz", event_time=now)


if __name__ == "__main__":
    main()
