"""The second step in a pipeline: references become contents, and everything else passes through untouched."""

from __future__ import annotations

import gzip
import threading
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.builders import BUCKET, a_delivery, an_object_ref
from tests.fake_objects import FakeObjects, FakeOpenObject, fake_objects
from tests.steps import TIMEOUT_S, outputs_of
from transforms.contents import Fetched
from transforms.failures import CorruptGzipError, FailureKind, FinishedKind
from transforms.fetch_objects import FetchObjects, _FetchFn
from transforms.process_wide import ProcessWide
from transforms.records import Failure, Finished, ObjectRef, Pulse
from transforms.result_names import result_name
from transforms.settings import FetchSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

slow_may_end = threading.Event()
SLOW = "slow.gz"


class _SlowObjects:
    """Answers for `SLOW` only when the test says so."""

    def __init__(self, name: str) -> None:
        self._objects = fake_objects(name)

    def open(self, ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> FakeOpenObject:
        if ref.key == SLOW:
            assert slow_may_end.wait(TIMEOUT_S)
        return self._objects.open(ref, offset=offset, if_match=if_match)


class _Ledger:
    """A store in which one result is."""

    is_remote = False

    def __init__(self, *done: str) -> None:
        self._done = done

    def exists(self, name: str) -> bool:
        return name in self._done


@pytest.fixture
def objects(request: pytest.FixtureRequest) -> FakeObjects:
    """The objects that `step` fetches."""
    slow_may_end.clear()
    return fake_objects(request.node.nodeid)


@pytest.fixture
def step(request: pytest.FixtureRequest, objects: FakeObjects) -> Callable[..., FetchObjects]:
    """Make the step; `done` are names of results in its ledger."""

    def make(*done: str, concurrency: int = 4) -> FetchObjects:
        return FetchObjects(
            FetchSettings(concurrency=concurrency),
            objects=ProcessWide(_SlowObjects, request.node.nodeid),
            results=ProcessWide(_Ledger, *done),
        )

    return make


def _a_ref(key: str, *, message_id: str = "message-1", receive_count: int = 1) -> ObjectRef:
    delivery = a_delivery(message_id=message_id, receive_count=receive_count)
    return an_object_ref(key=key, delivery=delivery, size=None, etag=None)


def test_a_reference_becomes_its_content(objects: FakeObjects, step: Callable[..., FetchObjects]) -> None:
    """Inflated, under the ETag that was fetched."""
    objects.put(BUCKET, "a.gz", gzip.compress(b"a\nb\n"), etag="etag-1")

    content, pulse = outputs_of(step(), [_a_ref("a.gz")], outputs=1)

    assert isinstance(content, Fetched)
    assert ("a.gz", "etag-1") == (content.ref.key, content.ref.etag)
    assert Pulse() == pulse


def test_what_cannot_be_fetched_is_a_failure_in_the_same_river(
    objects: FakeObjects, step: Callable[..., FetchObjects]
) -> None:
    """With everything that is needed to set it aside."""
    objects.put(BUCKET, "corrupt.gz", gzip.compress(b"a\nb\n")[:-3])
    corrupt, gone = _a_ref("corrupt.gz", message_id="1"), _a_ref("gone.gz", message_id="2")

    *failures, _ = outputs_of(step(), [corrupt, gone], outputs=2)

    assert {(FailureKind.CORRUPT_GZIP, corrupt), (FailureKind.OBJECT_GONE, gone)} == {
        (failure.kind, failure.ref) for failure in failures
    }


def test_what_is_done_already_is_finished(objects: FakeObjects, step: Callable[..., FetchObjects]) -> None:
    """The ledger is asked in the pool."""
    ref = an_object_ref(delivery=a_delivery(receive_count=2), etag="etag-1")

    outputs = outputs_of(step(result_name(ref.bucket, ref.key, "etag-1")), [ref], outputs=1)

    assert [Finished(ref.delivery, 0, FinishedKind.ALREADY_FINISHED, ref), Pulse()] == outputs
    assert [] == objects.opens


def test_every_other_outcome_passes_through_untouched(objects: FakeObjects, step: Callable[..., FetchObjects]) -> None:
    """In order, and nothing is fetched for it."""
    outcomes = [
        Finished(a_delivery(), 0, FinishedKind.TEST_EVENT),
        Failure.of(an_object_ref(), CorruptGzipError("no")),
        Failure.of(a_delivery(), CorruptGzipError("no")),
        Finished(a_delivery(), 1, FinishedKind.FILTERED, an_object_ref()),
    ]

    assert [*outcomes, Pulse()] == outputs_of(step(), outcomes, outputs=4)
    assert [] == objects.opens


def test_nothing_is_handed_on_before_all_references_that_came_at_once_are_under_way() -> None:
    """What is handed on is processed and stored before the next reference comes."""
    pool = _PoolOfComplete("content")
    fetch = _FetchFn(SimpleNamespace(get=lambda: pool))
    fetch.setup()
    refs = [an_object_ref(key="1"), an_object_ref(key="2")]

    handed_on = [list(fetch.process(element)) for element in [*refs, Pulse()]]

    assert [[], [], [Pulse(), "content"]] == handed_on
    assert refs == pool.submitted


class _PoolOfComplete:
    """Always has something that is complete."""

    def __init__(self, complete: str) -> None:
        self._complete = complete
        self.submitted: list[ObjectRef] = []

    def submit(self, ref: ObjectRef) -> None:
        self.submitted.append(ref)

    def completed(self) -> Iterator[str]:
        yield self._complete


def test_one_slow_object_holds_up_no_other(objects: FakeObjects, step: Callable[..., FetchObjects]) -> None:
    """Contents come in completion order, carried by pulses; `process` never waits."""
    keys = [SLOW, *(f"fast-{number}.gz" for number in range(20))]
    for key in keys:
        objects.put(BUCKET, key, b"content")
    finished = Finished(a_delivery(), 0, FinishedKind.TEST_EVENT)

    def release_the_slow_one_last(outputs: int) -> None:
        if outputs == len(keys):
            slow_may_end.set()

    *outputs, _ = outputs_of(
        step(concurrency=2),
        [*(_a_ref(key) for key in keys), finished],
        outputs=len(keys) + 1,
        on_output=release_the_slow_one_last,
    )

    assert SLOW == outputs[-1].ref.key
    assert sorted(keys) == sorted(output.ref.key for output in outputs if isinstance(output, Fetched))
    assert finished in outputs


def test_objects_are_fetched_as_many_at_once_as_there_are_threads(
    request: pytest.FixtureRequest, objects: FakeObjects
) -> None:
    """Or latency would not be hidden."""
    _Meeting.barrier = threading.Barrier(4)
    for number in range(4):
        objects.put(BUCKET, f"{number}.gz", b"content")
    step = FetchObjects(
        FetchSettings(concurrency=4),
        objects=ProcessWide(_Meeting, request.node.nodeid),
        results=ProcessWide(_Ledger),
    )

    *outputs, _ = outputs_of(step, [_a_ref(f"{number}.gz") for number in range(4)], outputs=4)

    assert [Fetched] * 4 == [type(output) for output in outputs]


class _Meeting:
    """Answers four requests when it has four requests."""

    barrier = threading.Barrier(4)

    def __init__(self, name: str) -> None:
        self._open = partial(fake_objects(name).open)

    def open(self, ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> FakeOpenObject:
        self.barrier.wait(TIMEOUT_S)
        return self._open(ref, offset=offset, if_match=if_match)
