"""What a soak does to the job: messages without end, faults that come and go; and what it reads of the process."""

from __future__ import annotations

import gzip
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import World
    from tests.faults.proxy import Event
    from tests.faults.soak_ledger import Ledger

WAITING = 400
"""Messages that the supply keeps in the queue: more than the job holds."""
FAULTS = ("503", "hang up", "stall", "cut", "lose the answer", "late", "refused")
WHERE = ("source", "output", "sqs")


class Supply:
    """Single and multi-record messages of good, large, corrupt and missing objects; and the removal of what is done."""

    def __init__(self, world: World, ledger: Ledger, seed: int) -> None:
        """Nothing is sent before `fill`."""
        self._world = world
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._pool = ThreadPoolExecutor(8)
        self._large = gzip.compress(self._chance.randbytes(1024 * 1024).replace(b"\n", b" ") * 3 + b"\n" * 7, 1)
        self.sent = self.objects = 0

    def fill(self) -> None:
        """Send as much as is missing in the queue."""
        for _ in range(0, WAITING - self._world.left()[0], 50):
            messages = [self._keys() for _ in range(50)]
            list(self._pool.map(self._put, [key for keys in messages for key in keys]))
            self._world.notify(*messages)
            self.sent += len(messages)

    def clear(self, *, older_than_s: float) -> None:
        """Remove the objects and results of messages that were deleted so long ago."""
        done = self._ledger.forget(older_than_s=older_than_s)
        for first in range(0, len(done), 500):
            part = done[first : first + 500]
            self._remove(self._world.name, [key for key, _ in part if key in self._world.etags])
            self._remove(self._world.output, [name for _, names in part for name in names])
        for key, _ in done:
            self._world.etags.pop(key, None)

    def _remove(self, bucket: str, keys: list[str]) -> None:
        if keys:
            self._world.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})

    def _keys(self) -> list[str]:
        return [self._key() for _ in range(self._chance.choice((1, 1, 1, 1, 3, 5)))]

    def _key(self) -> str:
        self.objects += 1
        (kind,) = self._chance.choices(("good", "large", "corrupt", "gone"), (90, 1, 5, 4))
        return f"{kind}/{self.objects}-{7 if kind == 'large' else self._chance.randint(1, 30)}"

    def _put(self, key: str) -> None:
        kind, lines = key.partition("/")[0], int(key.rpartition("-")[2])
        if kind == "large":
            self._world.put(key, self._large)
        elif kind != "gone":
            body = gzip.compress(f"{key}\n".encode() * lines, 1)
            self._world.put(key, body if kind == "good" else body[:-3])


class Chaos(threading.Thread):
    """One fault after another, with time between them to recover."""

    def __init__(self, world: World, seed: int) -> None:
        """Begins with `start`, ends soon after `stop`."""
        super().__init__(name="chaos", daemon=True)
        self._world = world
        self._chance = random.Random(seed)
        self._stopped = threading.Event()
        self.told: list[str] = []

    def stop(self) -> None:
        """End the fault that is on, and the thread."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        """Break and mend."""
        while not self._stopped.wait(self._chance.uniform(1, 5)):
            what, where = self._chance.choice(FAULTS), self._chance.choice(WHERE)
            self.told.append(f"{what} {where}")
            with ExitStack() as fault:
                if what == "refused":
                    fault.enter_context(self._world.proxy.refused("sqs" if where == "sqs" else "s3"))
                else:
                    share = self._chance.choice((0.05, 0.5, 1))
                    added = self._world.proxy.add(what, self._picks(where, share), seconds=self._chance.uniform(0.1, 2))
                    fault.callback(self._world.proxy.end, added)
                self._stopped.wait(self._chance.uniform(0.5, 4))

    def _picks(self, where: str, share: float) -> Callable[[Event], bool]:
        bucket = {"source": self._world.name, "output": self._world.output, "sqs": ""}[where]
        service = "sqs" if where == "sqs" else "s3"
        chance = random.Random(self._chance.random())
        return lambda event: event.service == service and event.bucket == bucket and chance.random() < share


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process is at one moment."""

    at: float
    memory_mib: float
    threads: int
    files: int
    ledger: int

    @classmethod
    def of(cls, pid: int, ledger: Ledger) -> Sample:
        """Read it from /proc."""
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        memory_kib = int(status["VmRSS"].split()[0])
        files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        return cls(time.monotonic(), memory_kib / 1024, int(status["Threads"]), files, ledger.held)
