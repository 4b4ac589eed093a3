"""The last step in a pipeline: first everything is stored, then SQS is told, then the delivery is settled."""

from __future__ import annotations

import json
import pickle
import threading
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import pytest

from tests.builders import BUCKET, ETAG, QUEUE_URL, a_delivery, a_message, a_notification, an_object_ref
from tests.steps import TIMEOUT_S, outputs_of
from transforms.consumers import Consumer
from transforms.events import EVENTS
from transforms.failures import (
    CorruptGzipError,
    FailureKind,
    FinishedKind,
    ProcessorError,
    UnavailableError,
    WriteFailedError,
)
from transforms.process_wide import ProcessWide
from transforms.records import Door, Failure, Finished, Pulse, Result, Settled
from transforms.result_names import dead_letter_name, result_name
from transforms.settings import LeaseSettings, ReceiveSettings, WriteSettings
from transforms.spools import MEMORY_BYTES, Spool
from transforms.write_and_acknowledge import WriteAndAcknowledge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transforms.queues import Message, Receipt, Refusal
    from transforms.records import Delivery, ObjectRef

SLOW = "slow"


@dataclass
class _Outside:
    """What the step touches, and what it did there, in order."""

    is_remote: bool = False
    letters_are_remote: bool = False
    journal: list[tuple[str, str]] = field(default_factory=list)
    """What was done, and to what: `put` a result, `letter`, `delete` a message, `return` it."""
    threads: set[str] = field(default_factory=set)
    """In which something was stored."""
    documents: dict[str, bytes] = field(default_factory=dict)
    delays_s: list[int] = field(default_factory=list)
    slow_may_end: threading.Event = field(default_factory=threading.Event)
    write_error: Exception | None = None

    def done(self, what: str) -> list[str]:
        """To what something was done, in order."""
        return [name for done, name in self.journal if done == what]


_outsides: dict[str, _Outside] = {}


class _Store:
    def __init__(self, outside: _Outside, verb: str, *, is_remote: bool) -> None:
        self.is_remote = is_remote
        self._outside = outside
        self._verb = verb

    def put_file(self, name: str, file: IO[bytes]) -> None:
        self.put(name, file.read())

    def put(self, name: str, document: bytes) -> None:
        if SLOW in name:
            assert self._outside.slow_may_end.wait(TIMEOUT_S)
        if self._outside.write_error is not None:
            raise self._outside.write_error
        self._outside.threads.add(threading.current_thread().name)
        self._outside.documents[name] = document
        self._outside.journal.append((self._verb, name))


class _Queue:
    def __init__(self, outside: _Outside) -> None:
        self._outside = outside

    def receive(self, *, max_messages: int, wait_s: int, visibility_timeout_s: int) -> list[Message]:
        raise AssertionError("nobody starts the consumer")

    def delete(self, receipts: Sequence[Receipt]) -> list[Refusal]:
        self._outside.journal.extend(("delete", receipt.message_id) for receipt in receipts)
        return []

    def change_visibility(self, receipts: Sequence[Receipt], timeouts_s: Sequence[int]) -> list[Refusal]:
        self._outside.journal.extend(("return", receipt.message_id) for receipt in receipts)
        self._outside.delays_s.extend(timeouts_s)
        return []


def _results(name: str) -> _Store:
    return _Store(_outsides[name], "put", is_remote=_outsides[name].is_remote)


def _dead_letters(name: str) -> _Store:
    return _Store(_outsides[name], "letter", is_remote=_outsides[name].letters_are_remote)


def _consumer(name: str) -> Consumer:
    return Consumer(_Queue(_outsides[name]), ReceiveSettings(QUEUE_URL), LeaseSettings())


class _Step:
    """The step, its consumer, and the outside."""

    def __init__(self, name: str) -> None:
        self.outside = _outsides[name] = _Outside()
        self.consumer = ProcessWide(_consumer, name)
        self._name = name

    def open(self, message_id: str, *, records: int = 1, receive_count: int = 1) -> Delivery:
        """Take a message in hand, as the first step does."""
        delivery = a_delivery(message_id=message_id, records=records, receive_count=receive_count)
        book = self.consumer.get().book
        lease = book.open(delivery, size=1, asked_at=book.clock())
        assert lease is not None
        book.start(lease)
        return delivery

    def run(
        self,
        elements: list[Any],
        *,
        outputs: int,
        fsync: bool = False,
        on_output: Callable[[int], object] = lambda _: None,
    ) -> list[Settled]:
        """Run the step over `elements`."""
        return outputs_of(self.make(fsync=fsync), elements, outputs=outputs, on_output=on_output)

    def make(self, *, fsync: bool = False) -> WriteAndAcknowledge:
        """Make the step itself."""
        return WriteAndAcknowledge(
            WriteSettings(fsync=fsync, concurrency=2),
            self.consumer,
            results=ProcessWide(_results, self._name),
            dead_letters=ProcessWide(_dead_letters, self._name),
        )


@pytest.fixture
def step(request: pytest.FixtureRequest) -> Iterator[_Step]:
    """Local stores, unless a test says otherwise."""
    name = request.node.nodeid
    yield _Step(name)
    _outsides.pop(name).slow_may_end.set()


def _ref(delivery: Delivery, *, index: int = 0, key: str = "a.gz") -> ObjectRef:
    return an_object_ref(delivery=delivery, index=index, key=key)


def _a_result(delivery: Delivery, *, index: int = 0, key: str = "a.gz") -> Result:
    return Result(_ref(delivery, index=index, key=key), b'{"line_count": 1}\n')


def _told(outputs: list[Settled]) -> dict[str, tuple[Door, dict[str, int]]]:
    return {settled.message_id: (settled.door, dict(settled.records)) for settled in outputs}


# ── each door


def test_every_outcome_leaves_by_its_door_and_gives_one_settled(step: _Step) -> None:
    """Pulses end here."""
    stored, broken, away, test = map(step.open, ("stored", "broken", "away", "test"))
    outcomes = [
        _a_result(stored),
        Failure.of(_ref(broken), CorruptGzipError("no")),
        Pulse(),
        Failure.of(_ref(away), UnavailableError("503")),
        Finished(test, 0, FinishedKind.TEST_EVENT),
    ]

    outputs = step.run(outcomes, outputs=4)

    assert [Settled] * 4 == [type(output) for output in outputs]
    assert {
        "stored": (Door.STORED, {"stored": 1}),
        "broken": (Door.SET_ASIDE, {"corrupt_gzip": 1}),
        "away": (Door.RETURNED, {"unavailable": 1}),
        "test": (Door.IGNORED, {"test_event": 1}),
    } == _told(outputs)
    assert ["broken", "stored", "test"] == sorted(step.outside.done("delete"))
    assert ["away"] == step.outside.done("return")
    assert all(delay_s > 0 for delay_s in step.outside.delays_s)
    assert [dead_letter_name("broken", 0)] == step.outside.done("letter")
    assert b'{"line_count": 1}\n' == step.outside.documents[result_name(BUCKET, "a.gz", ETAG)]
    assert 0 == step.consumer.get().book.open_count


@pytest.mark.parametrize("is_remote", [False, True])
def test_a_result_is_stored_before_its_message_is_deleted(step: _Step, *, is_remote: bool) -> None:
    """And a dead letter too; the promise of the whole job."""
    step.outside.is_remote = step.outside.letters_are_remote = is_remote
    stored, broken = step.open("stored"), step.open("broken")

    step.run([_a_result(stored), Failure.of(_ref(broken), CorruptGzipError("no"))], outputs=2)

    journal = step.outside.journal
    assert journal.index(("put", result_name(BUCKET, "a.gz", ETAG))) < journal.index(("delete", "stored"))
    assert journal.index(("letter", dead_letter_name("broken", 0))) < journal.index(("delete", "broken"))
    assert 4 == len(journal)


def test_rows_are_stored_in_the_pool_then_their_document_then_the_message_is_deleted(step: _Step) -> None:
    """Where the output is a directory too: a gigabyte of them holds up nobody."""
    rows = Spool(result_name(BUCKET, "a.gz", ETAG, ".jsonl"))
    rows.write(b'{"n": 1}\n' * MEMORY_BYTES)  # on disk: Beam pickles the first few records, to know their size

    step.run([Result(_ref(step.open("message-1")), b"{}\n", rows)], outputs=1)

    document = result_name(BUCKET, "a.gz", ETAG)
    assert [("put", rows.name), ("put", document), ("delete", "message-1")] == step.outside.journal
    assert 9 * MEMORY_BYTES == len(step.outside.documents[rows.name])
    assert all(thread.startswith("write-") for thread in step.outside.threads)


def test_a_settled_says_everything_about_its_delivery(step: _Step) -> None:
    """For the user's own steps behind this one."""
    delivery = step.open("message-1", records=2, receive_count=3)

    (settled,) = step.run([_a_result(delivery), Finished(delivery, 1, FinishedKind.NOT_CREATED)], outputs=1)

    assert (QUEUE_URL, (BUCKET,), 3) == (settled.queue_url, settled.buckets, settled.receive_count)
    assert (delivery.sent_at, delivery.received_at) == (settled.sent_at, settled.received_at)
    assert settled.settled_at > delivery.received_at


# ── several records


def test_a_message_is_deleted_once_when_all_its_records_have_left(step: _Step) -> None:
    """By the worst of their doors."""
    delivery = step.open("many", records=4)
    outcomes = [
        _a_result(delivery, index=0),
        Finished(delivery, 1, FinishedKind.FILTERED, _ref(delivery, index=1)),
        Failure.of(_ref(delivery, index=3, key="c.gz"), CorruptGzipError("no")),
        _a_result(delivery, index=2, key="b.gz"),
    ]

    outputs = step.run(outcomes, outputs=1)

    assert {"many": (Door.SET_ASIDE, {"stored": 2, "filtered": 1, "corrupt_gzip": 1})} == _told(outputs)
    assert ("delete", "many") == step.outside.journal[-1]
    assert ["many"] == step.outside.done("delete")
    assert 3 == json.loads(step.outside.documents[dead_letter_name("many", 3)])["index"]


def test_a_message_with_one_record_to_do_again_is_returned_whole(step: _Step) -> None:
    """What is stored stays; the ledger knows it when the message comes again."""
    delivery = step.open("many", records=2)

    outputs = step.run(
        [Failure.of(_ref(delivery), UnavailableError("503")), _a_result(delivery, index=1, key="b.gz")], outputs=1
    )

    assert {"many": (Door.RETURNED, {"unavailable": 1, "stored": 1})} == _told(outputs)
    assert ([], ["many"]) == (step.outside.done("delete"), step.outside.done("return"))
    assert 1 == len(step.outside.done("put"))


def test_a_message_is_not_settled_while_a_record_is_missing(step: _Step) -> None:
    """Nor deleted."""
    half, whole = step.open("half", records=2), step.open("whole")

    outputs = step.run([_a_result(half), _a_result(whole)], outputs=1)

    assert {"whole": (Door.STORED, {"stored": 1})} == _told(outputs)
    assert ["whole"] == step.outside.done("delete")


# ── what cannot be stored


@pytest.mark.parametrize("is_remote", [False, True])
def test_what_cannot_be_stored_goes_back(step: _Step, *, is_remote: bool) -> None:
    """Nothing is raised, and nothing is deleted."""
    step.outside.is_remote = is_remote
    step.outside.write_error = WriteFailedError("the disk is full")
    result, failure = step.open("result"), step.open("failure")

    outputs = step.run([_a_result(result), Failure.of(_ref(failure), CorruptGzipError("no"))], outputs=2)

    write_failed = (Door.RETURNED, {FailureKind.WRITE_FAILED: 1})
    assert {"result": write_failed, "failure": write_failed} == _told(outputs)
    assert [] == step.outside.done("delete")
    assert 2 == EVENTS.counts()[Door.RETURNED]


# ── who waits for what


@pytest.mark.parametrize(
    ("remote", "pooled"),
    [({}, False), ({"is_remote": True}, True), ({"letters_are_remote": True}, True), ({"fsync": True}, True)],
)
def test_whatever_waits_on_something_is_stored_in_the_pool(
    step: _Step, remote: dict[str, bool], *, pooled: bool
) -> None:
    """A local file is quicker than the hand-over; a disk that must be sure, or a network, is not."""
    step.outside.is_remote = remote.get("is_remote", False)
    step.outside.letters_are_remote = remote.get("letters_are_remote", False)
    stored, broken = step.open("stored"), step.open("broken")
    outcomes = [_a_result(stored), Failure.of(_ref(broken), CorruptGzipError("no"))]

    step.run(outcomes, outputs=2, fsync=remote.get("fsync", False))

    assert {pooled} == {name.startswith("write-") for name in step.outside.threads}


def test_one_slow_write_holds_up_no_other(step: _Step) -> None:
    """Deliveries are settled in the order in which they are done, carried by pulses."""
    step.outside.is_remote = True
    names = [f"fast-{number}" for number in range(20)]
    slow, *fast = [step.open(name) for name in (SLOW, *names)]
    test = step.open("test")

    def release_the_slow_one_last(outputs: int) -> None:
        if outputs == 21:
            step.outside.slow_may_end.set()

    outputs = step.run(
        [
            _a_result(slow, key=SLOW),
            *(_a_result(delivery, key=f"{delivery.message_id}.gz") for delivery in fast),
            Finished(test, 0, FinishedKind.TEST_EVENT),
        ],
        outputs=22,
        on_output=release_the_slow_one_last,
    )

    assert SLOW == outputs[-1].message_id
    assert sorted([*names, "test", SLOW]) == sorted(_told(outputs))
    assert ("delete", SLOW) == step.outside.journal[-1]


def test_what_has_nothing_to_do_waits_for_no_writer(step: _Step) -> None:
    """It is settled while every thread of the pool is at a slow write."""
    step.outside.is_remote = True
    first, second, test = map(step.open, ("slow-1", "slow-2", "test"))

    outputs = step.run(
        [_a_result(first, key="slow-1"), _a_result(second, key="slow-2"), Finished(test, 0, FinishedKind.TEST_EVENT)],
        outputs=3,
        on_output=lambda _: step.outside.slow_may_end.set(),
    )

    assert "test" == outputs[0].message_id


# ── when nothing flows any more


def test_the_last_word_settles_what_hangs_by_the_same_rules_and_tells_sqs(step: _Step) -> None:
    """For the first time it goes back with a delay, and at --give_up_after receives it is set aside."""
    first, fifth = step.open("first"), step.open("fifth", receive_count=5)
    step.open("beside")
    last_word = pickle.loads(pickle.dumps(step.make().last_word))  # noqa: S301 - our own

    last_word([Failure.of(_ref(delivery), ProcessorError("did not return")) for delivery in (first, fifth)])

    assert [dead_letter_name("fifth", 0)] == step.outside.done("letter")
    assert ["fifth"] == step.outside.done("delete")
    assert ["first"] == step.outside.done("return")
    assert 0 < step.outside.delays_s[0] <= 10
    assert {"set_aside": 1, "returned": 2} == {door: EVENTS.counts()[door] for door in ("set_aside", "returned")}


def test_the_last_word_gives_back_at_once_what_was_not_started(step: _Step) -> None:
    """It need not wait for its visibility timeout."""
    consumer, hung = step.consumer.get(), step.open("hung")
    body = a_notification("waiting.gz")
    consumer.admit([a_message(message_id="waiting", body=body)], reserved=0, asked_at=consumer.now())

    step.make().last_word([Failure.of(_ref(hung), ProcessorError("did not return"))])

    assert {"waiting": 0} == {
        message_id: delay_s
        for message_id, delay_s in zip(step.outside.done("return"), step.outside.delays_s, strict=True)
        if message_id != "hung"
    }
