"""Every message of a soak from its receive to its delete, checked as it happens and forgotten a minute later."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from transforms.result_names import dead_letter_name

if TYPE_CHECKING:
    from tests.faults.conftest import World
    from tests.faults.proxy import Event

KEEP_S = 60.0
"""How long a deleted message's objects stay: a copy of it may still be on its way to the job."""
FATES = {"good": "stored", "large": "stored", "corrupt": "corrupt_gzip", "gone": "object_gone"}
"""What must become of a key, by its first folder."""


@dataclass
class _Message:
    keys: list[str]
    handles: set[str] = field(default_factory=set)
    deleted_at: float | None = None


class Ledger:
    """Watches the proxy; `mistakes` is what must stay empty."""

    def __init__(self, world: World) -> None:
        """Nothing is known before the first receive."""
        self._world = world
        self._lock = threading.Lock()
        self._messages: dict[str, _Message] = {}
        self._ids: dict[str, str] = {}
        self._stored_at: dict[str, float] = {}
        self._deleted: deque[str] = deque()
        self.mistakes: list[str] = []
        self.counts: Counter[str] = Counter()

    @property
    def held(self) -> int:
        """How much it remembers."""
        return len(self._messages) + len(self._ids) + len(self._stored_at)

    def watch(self, event: Event) -> None:
        """Note what was received, stored and deleted."""
        with self._lock:
            if event.fault:
                self.counts[f"fault {event.fault}"] += 1
            for message_id, handle, _, body in event.messages:
                keys = [record["s3"]["object"]["key"] for record in json.loads(body)["Records"]]
                message = self._messages.setdefault(message_id, _Message(keys))
                message.handles.add(handle)
                self._ids[handle] = message_id
                self.counts["receives"] += 1
            if event.operation == "PUT" and event.bucket == self._world.output and event.status == 200 and event.body:
                self._note_stored(event)
            if event.operation == "DeleteMessageBatch" and event.status == 200:
                for handle in event.handles:
                    self._note_deleted(handle, event)

    def forget(self, *, older_than_s: float = KEEP_S) -> list[tuple[str, list[str]]]:
        """Answer the keys and results of messages deleted so long ago, each of which has one fate, and forget them."""
        done = []
        with self._lock:
            while self._deleted and self._age(self._deleted[0]) >= older_than_s:
                message_id = self._deleted.popleft()
                message = self._messages.pop(message_id)
                for handle in message.handles:
                    self._ids.pop(handle, None)
                done += [(key, self._take(message_id, number, key)) for number, key in enumerate(message.keys)]
        return done

    def _age(self, message_id: str) -> float:
        deleted_at = self._messages[message_id].deleted_at
        return time.monotonic() - (deleted_at or time.monotonic())

    def _take(self, message_id: str, number: int, key: str) -> list[str]:
        found = [name for name in self._names(message_id, number, key) if self._stored_at.pop(name, None)]
        if len(found) != 1:
            self.mistakes.append(f"{key} has {len(found)} fates")
        return found

    def _names(self, message_id: str, number: int, key: str) -> list[str]:
        names = [f"_dead_letters/{dead_letter_name(message_id, number)}"]
        return [*names, self._world.result_name(key)] if key in self._world.etags else names

    def _note_stored(self, event: Event) -> None:
        document = json.loads(event.body)
        source = document.get("source") or document["reference"]
        expected, found = FATES[source["key"].partition("/")[0]], document.get("kind", "stored")
        if found != expected:
            self.mistakes.append(f"{source['key']} is {found}: {document.get('detail')}")
        if found == "stored" and document["line_count"] != int(source["key"].rpartition("-")[2]):
            self.mistakes.append(f"{source['key']} has {document['line_count']} lines")
        self.counts["repeats" if event.key in self._stored_at else found] += 1
        self._stored_at.setdefault(event.key, event.ended_at)

    def _note_deleted(self, handle: str, event: Event) -> None:
        message_id = self._ids.get(handle)
        if message_id is None or (message := self._messages[message_id]).deleted_at is not None:
            self.counts["deletes again"] += 1
            return
        message.deleted_at = event.ended_at
        self._deleted.append(message_id)
        self.counts["deleted"] += 1
        for number, key in enumerate(message.keys):
            stored_at = min(self._stored_at.get(n, 1e18) for n in self._names(message_id, number, key))
            if stored_at > event.begun_at:
                self.mistakes.append(f"{key} was not stored when its message was deleted")
