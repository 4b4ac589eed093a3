"""The whole job on fakes, from message to result: the stories that the promise is about."""

from __future__ import annotations

import gzip
import json
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pytest
from apache_beam.metrics import MetricsFilter

from pipeline.flow import build
from pipeline.options import Settings
from pipeline.outside import Outside
from tests.builders import BUCKET, QUEUE_URL, a_notification, a_test_event, an_s3_record
from tests.fake_objects import FakeOpenObject, fake_objects
from tests.fakes import FakeQueue, FakeStore
from tests.steps import TIMEOUT_S, a_pipeline
from transforms import process_wide
from transforms.events import EVENTS
from transforms.failures import QueueError
from transforms.process_wide import ProcessWide
from transforms.records import Door, Settled
from transforms.result_names import dead_letter_name, result_name
from transforms.settings import LeaseSettings, ProcessSettings, ReceiveSettings, WriteSettings
from transforms.stopping import STOP
from transforms.write_and_acknowledge import METRICS_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transforms.contents import Fetched
    from transforms.queues import Message, Receipt, Refusal
    from transforms.records import ObjectRef

SLOW = "slow.gz"
POISON = "poison.gz"
LONG_POLL_S = 0.02


@dataclass
class _World:
    """Everything outside of the job, under one name, and what happened there."""

    queue: FakeQueue = field(default_factory=lambda: FakeQueue(clock=time.monotonic))
    results: FakeStore = field(default_factory=FakeStore)
    dead_letters: FakeStore = field(default_factory=FakeStore)
    journal: list[tuple[str, str]] = field(default_factory=list)
    """In order: `put` a name, `delete` a message."""
    settled: list[Settled] = field(default_factory=list)
    on_settled: Callable[[int], object] = lambda _: None
    on_delete: Callable[[], object] = lambda: None
    slow_may_end: threading.Event = field(default_factory=threading.Event)


_worlds: dict[str, _World] = {}


class _WatchedQueue:
    """The fake queue with short long polls, and a journal."""

    def __init__(self, name: str) -> None:
        self._world = _worlds[name]
        self._queue = self._world.queue

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        messages = self._queue.receive(max_messages=max_messages, wait_s=0, visibility_timeout_s=visibility_timeout_s)
        if not messages:
            threading.Event().wait(LONG_POLL_S)
        return messages

    def delete(self, receipts: Sequence[Receipt]) -> list[Refusal]:
        self._world.on_delete()
        self._world.journal.extend(("delete", receipt.message_id) for receipt in receipts)
        return self._queue.delete(receipts)

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        return self._queue.change_visibility(receipts, timeouts_s)

    def has_more(self) -> bool:
        return self._queue.has_more()


class _WatchedStore:
    """A fake store with a journal."""

    def __init__(self, world: _World, store: FakeStore) -> None:
        self._store = store
        self._world = world
        self.is_remote = store.is_remote

    def put(self, name: str, document: bytes) -> None:
        self._store.put(name, document)
        self._world.journal.append(("put", name))

    def exists(self, name: str) -> bool:
        return self._store.exists(name)


def _results(name: str) -> _WatchedStore:
    return _WatchedStore(_worlds[name], _worlds[name].results)


def _dead_letters(name: str) -> _WatchedStore:
    return _WatchedStore(_worlds[name], _worlds[name].dead_letters)


class _SlowObjects:
    """The fake objects, of which `SLOW` comes when a test says so."""

    def __init__(self, name: str) -> None:
        self._objects = fake_objects(name)
        self._world = _worlds[name]

    def open(self, ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> FakeOpenObject:
        if ref.key == SLOW:
            assert self._world.slow_may_end.wait(TIMEOUT_S)
        return self._objects.open(ref, offset=offset, if_match=if_match)


def count(content: Fetched) -> dict[str, int]:
    """Count bytes, and choke on `POISON`."""
    if content.ref.key == POISON:
        raise ValueError("line 3 is no date")
    return {"bytes": len(content.read())}


def _result_name(key: str) -> str:
    return result_name(BUCKET, key, key)


def _settle(settled: Settled, name: str) -> None:
    world = _worlds[name]
    world.settled.append(settled)
    world.on_settled(len(world.settled))


class _Job:
    """The job and its world."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.objects = fake_objects(name)
        self.world = _worlds[name] = _World()
        self.settings = Settings(
            receive=ReceiveSettings(QUEUE_URL, wait_time_s=0, idle_s=0.2),
            leases=LeaseSettings(retry_base_s=0.01, retry_max_s=0.01),
            process=ProcessSettings(processor=f"{__name__}:count"),
            is_bounded=True,
        )

    def put(self, key: str, content: bytes = b"a\nb\n") -> str:
        """Store an object, with its key for an ETag; answer the notification that S3 sends."""
        self.objects.put(BUCKET, key, content, etag=key)
        return a_notification(key, etag=key, size=len(content))

    def send(self, *bodies: str) -> list[str]:
        """Send messages; answer their ids."""
        return [self.world.queue.send(body) for body in bodies]

    def run(self) -> dict[str, list[tuple[Door, dict[str, int]]]]:
        """Run the job until it ends by itself; say how each message left, each time."""
        before = len(self.world.settled)
        outside = Outside(
            queue=ProcessWide(_WatchedQueue, self.name),
            objects=ProcessWide(_SlowObjects, self.name),
            results=ProcessWide(_results, self.name),
            dead_letters=ProcessWide(_dead_letters, self.name),
        )
        pipeline = a_pipeline()
        _ = build(pipeline, self.settings, outside) | "Settle" >> beam.Map(_settle, self.name)
        self._ended = pipeline.run()
        self._ended.wait_until_finish()
        left: dict[str, list[tuple[Door, dict[str, int]]]] = {}
        for settled in self.world.settled[before:]:
            left.setdefault(settled.message_id, []).append((settled.door, dict(settled.records)))
        return left

    def counters(self) -> dict[str, int]:
        """What Beam counted in the last run."""
        found = self._ended.metrics().query(MetricsFilter().with_namespace(METRICS_NAMESPACE))["counters"]
        return {counter.key.metric.name: counter.result for counter in found}

    def result(self, key: str) -> dict[str, Any]:
        """Read a result."""
        document: dict[str, Any] = json.loads(self.world.results.get(_result_name(key)))
        return document

    def letter(self, message_id: str, index: int = 0) -> dict[str, Any]:
        """Read a dead letter."""
        document: dict[str, Any] = json.loads(self.world.dead_letters.get(dead_letter_name(message_id, index)))
        return document

    def names(self) -> tuple[int, int]:
        """How many results and dead letters there are."""
        return len(list(self.world.results.names())), len(list(self.world.dead_letters.names()))

    def done(self, what: str) -> list[str]:
        """To what something was done, in order."""
        return [name for done, name in self.world.journal if done == what]


@pytest.fixture
def job(request: pytest.FixtureRequest) -> Iterator[_Job]:
    """A drain that ends soon."""
    job = _Job(request.node.nodeid)
    yield job
    _worlds.pop(job.name).slow_may_end.set()


STORED = (Door.STORED, {"stored": 1})


# ── the good story


def test_every_object_becomes_a_result_and_its_message_is_deleted(job: _Job) -> None:
    """Gzipped or not, whatever its key."""
    ids = job.send(job.put("a.gz", gzip.compress(b"12345\n")), job.put("b +ü.log", b"123\n"), job.put("empty", b""))

    assert {message_id: [STORED] for message_id in ids} == job.run()
    assert [6, 4, 0] == [job.result(key)["bytes"] for key in ("a.gz", "b +ü.log", "empty")]
    assert (3, 0) == job.names()
    assert sorted(ids) == sorted(job.done("delete"))
    assert "3 received = 3 stored + 0 ignored + 0 set aside + 0 returned" == EVENTS.summary()


def test_a_result_is_stored_before_its_message_is_deleted(job: _Job) -> None:
    """For each of many; the promise itself."""
    keys = [f"{number}.gz" for number in range(50)]
    ids = job.send(*(job.put(key) for key in keys))

    job.run()

    places = {doing: place for place, doing in enumerate(job.world.journal)}
    assert 100 == len(places)
    for message_id, key in zip(ids, keys, strict=True):
        assert places["put", _result_name(key)] < places["delete", message_id]


def test_a_stream_settles_while_its_source_lives_and_ends_when_it_is_told_to(job: _Job) -> None:
    """The unbounded twin: nothing waits for the end of time."""
    job.settings = replace(
        job.settings, is_bounded=False, receive=ReceiveSettings(QUEUE_URL, wait_time_s=0, budget_s=0.1)
    )
    first, second = job.put("a.gz"), job.put("b.gz")

    def go_on(settled: int) -> None:
        if settled == 1:
            job.send(second)
        else:
            STOP.set()

    job.world.on_settled = go_on
    job.send(first)

    assert [[STORED], [STORED]] == list(job.run().values())


def test_the_job_ends_after_as_many_messages_as_it_was_told(job: _Job) -> None:
    """The others stay where they are."""
    job.settings = replace(job.settings, receive=ReceiveSettings(QUEUE_URL, wait_time_s=0, max_messages=3))
    job.send(*(job.put(f"{number}.gz") for number in range(5)))

    assert [[STORED]] * 3 == list(job.run().values())
    assert 3 == len(job.done("delete"))


# ── the bad stories


def test_a_poison_message_is_set_aside_with_its_traceback_and_spoils_no_other(job: _Job) -> None:
    """It is tried as often as it was told, then its message is deleted."""
    job.settings = replace(
        job.settings,
        receive=replace(job.settings.receive, give_up_after=2),
        write=WriteSettings(give_up_after=2),
    )
    poison, good = job.send(job.put(POISON), job.put("good.gz"))

    left = job.run()

    assert {
        poison: [(Door.RETURNED, {"processor_error": 1}), (Door.SET_ASIDE, {"processor_error": 1})],
        good: [STORED],
    } == left
    letter = job.letter(poison)
    assert ("ValueError: line 3 is no date", 2) == (letter["detail"], letter["receive_count"])
    assert 'raise ValueError("line 3 is no date")' in letter["traceback"]
    assert POISON == letter["reference"]["key"]
    assert sorted([poison, good]) == sorted(job.done("delete"))
    assert (1, 1) == job.names()
    assert "3 received = 1 stored + 0 ignored + 1 set aside + 1 returned" == EVENTS.summary()


def test_an_object_that_is_gone_is_set_aside_at_once(job: _Job) -> None:
    """Nobody brings it back."""
    (message_id,) = job.send(a_notification("gone.gz"))

    assert {message_id: [(Door.SET_ASIDE, {"object_gone": 1})]} == job.run()
    assert ("object_gone", "gone.gz") == (job.letter(message_id)["kind"], job.letter(message_id)["reference"]["key"])
    assert [message_id] == job.done("delete")


def test_a_notification_that_comes_twice_overwrites_its_result_with_the_same(job: _Job) -> None:
    """But for the time."""
    body = job.put("a.gz")
    ids = job.send(body, body)
    contents = []
    job.world.on_settled = lambda _: contents.append(job.result("a.gz"))

    assert {message_id: [STORED] for message_id in ids} == job.run()
    assert (1, 0) == job.names()
    assert 2 == len(job.done("put"))
    once, again = ({**content, "processed_at": ""} for content in contents)
    assert once == again


def test_a_message_with_one_corrupt_record_of_three_is_deleted_once_after_all_of_them(job: _Job) -> None:
    """Two results, one dead letter that names its record."""
    records = [json.loads(job.put(key))["Records"][0] for key in ("a.gz", "b.gz", "c.gz")]
    job.objects.put(BUCKET, "b.gz", gzip.compress(b"content")[:-1], etag="b.gz")
    (message_id,) = job.send(json.dumps({"Records": records}))

    assert {message_id: [(Door.SET_ASIDE, {"stored": 2, "corrupt_gzip": 1})]} == job.run()
    assert (1, "b.gz") == (job.letter(message_id, 1)["index"], job.letter(message_id, 1)["reference"]["key"])
    assert [_result_name(key) for key in ("a.gz", "c.gz")] == sorted(job.world.results.names())
    assert ("delete", message_id) == job.world.journal[-1]
    assert 4 == len(job.world.journal)


def test_an_unreadable_message_is_set_aside_with_its_body(job: _Job) -> None:
    """Somebody else sends to this queue."""
    (message_id,) = job.send("<hello/>")

    assert {message_id: [(Door.SET_ASIDE, {"unreadable_notification": 1})]} == job.run()
    assert ("<hello/>", None) == (job.letter(message_id)["body"], job.letter(message_id)["reference"])
    assert [message_id] == job.done("delete")


def test_what_has_nothing_to_do_is_deleted_without_a_trace(job: _Job) -> None:
    """S3's own test, and what is no new object."""
    removed = json.dumps({"Records": [an_s3_record(event_name="ObjectRemoved:Delete")]})
    test, other = job.send(a_test_event(), removed)

    assert {
        test: [(Door.IGNORED, {"test_event": 1})],
        other: [(Door.IGNORED, {"not_created": 1})],
    } == job.run()
    assert sorted([test, other]) == sorted(job.done("delete"))
    assert (0, 0) == job.names()


def test_after_a_crash_between_write_and_delete_nothing_is_done_twice(job: _Job) -> None:
    """The result is there: the message comes again, is found finished, and is deleted without a fetch."""
    ids = job.send(job.put("a.gz"), job.put("b.gz"))
    job.settings = replace(job.settings, leases=LeaseSettings(drain_timeout_s=0.1))

    def crash() -> None:
        STOP.set()
        raise QueueError("the process dies here")

    job.world.on_delete = crash
    assert {} == job.run()
    process_wide.close_all()
    assert (2, 0) == job.names()
    assert [] == job.done("delete")
    stored, opened = job.done("put"), len(job.objects.opens)

    STOP.clear()
    job.world.on_delete = lambda: None
    for message_id in ids:
        job.world.queue.show(message_id)

    assert {message_id: [(Door.IGNORED, {"already_finished": 1})] for message_id in ids} == job.run()
    assert sorted(ids) == sorted(job.done("delete"))
    assert (stored, opened) == (job.done("put"), len(job.objects.opens))


def test_one_slow_object_among_many_fast_ones_holds_up_none_of_them(job: _Job) -> None:
    """All of them are settled while it is still being fetched."""
    keys = [f"{number}.gz" for number in range(60)]
    slow, *fast = job.send(*(job.put(key) for key in (SLOW, *keys)))

    def release_the_slow_one_last(settled: int) -> None:
        if settled == len(fast):
            assert fast == sorted(job.done("delete"), key=fast.index)
            job.world.slow_may_end.set()

    job.world.on_settled = release_the_slow_one_last

    assert {message_id: [STORED] for message_id in [slow, *fast]} == job.run()
    assert slow == job.world.settled[-1].message_id


def test_the_counters_are_beam_metrics_on_every_runner(job: _Job) -> None:
    """Whatever thread counted them: what the job did is known where the job was started."""
    job.send(job.put("a.gz"), job.put("b.gz"), "junk", a_test_event())
    job.world.queue.send(job.put(POISON))
    job.run()

    counted = EVENTS.counts()
    assert {
        "messages_received": counted["received"],
        "messages_stored": 2,
        "messages_ignored_test_event": 1,
        "messages_set_aside_unreadable_notification": 1,
        "messages_set_aside_processor_error": 1,
        "messages_returned_processor_error": 4,
        "records_stored": 2,
        "records_set_aside": 2,
        "records_returned": 4,
        "objects_fetched": counted["fetched"],
        "fetched_bytes": counted["fetched_bytes"],
        "objects_processed": 2,
        "inflated_bytes": 8,
    } == job.counters()
