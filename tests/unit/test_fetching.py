"""When an object is fetched, when the ledger says that it is done, and what becomes of the unforeseen."""

from __future__ import annotations

import gzip
import random
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.builders import BUCKET, ETAG, KEY, a_delivery, an_object_ref
from tests.fake_objects import FakeObjects, fake_objects
from transforms import retrieval
from transforms.contents import Fetched
from transforms.events import EVENTS
from transforms.failures import (
    FailureKind,
    FinishedKind,
    ForbiddenError,
    ObjectGoneError,
    RecordError,
    WriteFailedError,
)
from transforms.fetching import INFLATED_LATE_BYTES, Arrived, Fetcher
from transforms.records import Failure, Finished, ObjectRef
from transforms.result_names import result_name
from transforms.settings import FetchSettings

if TYPE_CHECKING:
    from collections.abc import Callable

STORED = gzip.compress(b"a\nb\n", mtime=0)


class _Ledger:
    """A store of which only the names matter."""

    is_remote = False

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.asked: list[str] = []
        self.error: Exception | None = None

    def exists(self, name: str) -> bool:
        self.asked.append(name)
        if self.error is not None:
            raise self.error
        return name in self.done


class _Fetching:
    """A fetcher, its objects and its ledger."""

    def __init__(self, name: str) -> None:
        self.objects: FakeObjects = fake_objects(name)
        self.objects.put(BUCKET, KEY, STORED, etag=ETAG)
        self.ledger = _Ledger()
        self._connect = partial(fake_objects, name)

    def fetch(self, ref: ObjectRef, **settings: bool) -> Fetched | Failure | Finished:
        """Fetch with the settings' defaults, or others, and open what arrived, as whoever hands it on does."""
        fetched = self.fetcher(**settings).fetch(ref)
        return fetched.opened() if isinstance(fetched, Arrived) else fetched

    def fetcher(self, **settings: bool) -> Fetcher:
        """Make one, of which the test looks at the parts."""
        return Fetcher(FetchSettings(**settings), connect=self._connect, results=self.ledger)  # type: ignore[arg-type]


@pytest.fixture
def fetching(request: pytest.FixtureRequest) -> _Fetching:
    """One object is there, and nothing is done."""
    return _Fetching(request.node.nodeid)


def _a_ref(*, receive_count: int = 1, etag: str | None = ETAG) -> ObjectRef:
    return an_object_ref(delivery=a_delivery(receive_count=receive_count), etag=etag, size=len(STORED))


def _failure(outcome: object) -> Failure:
    assert isinstance(outcome, Failure)
    return outcome


def test_an_object_is_fetched_and_inflated(fetching: _Fetching) -> None:
    """And counted as it is stored."""
    content = fetching.fetch(_a_ref())

    assert isinstance(content, Fetched)
    assert (_a_ref(), b"a\nb\n", len(STORED)) == (content.ref, content.read(), content.size)
    assert (1, len(STORED), 0) == tuple(
        EVENTS.counts()[name] for name in ("fetched", "fetched_bytes", "overwritten_since")
    )


# ── who inflates

_LARGER = random.Random(0).randbytes(INFLATED_LATE_BYTES + 1)  # it is stored as it is, for it cannot be compressed


@pytest.mark.parametrize("stored", [STORED, _LARGER[1:]], ids=["small", "the largest of them"])
def test_a_small_object_waits_as_it_is_stored_for_whoever_hands_it_on(fetching: _Fetching, stored: bytes) -> None:
    """What was just inflated is still in the processor's cache when it is processed."""
    fetching.objects.put(BUCKET, KEY, stored, etag=ETAG)
    fetcher = fetching.fetcher()

    arrived = fetcher.fetch(_a_ref())

    assert isinstance(arrived, Arrived)
    assert len(stored) == fetcher.budget.used
    assert 0 == EVENTS.counts()["fetched"]
    content = arrived.opened()
    assert isinstance(content, Fetched)
    assert content.in_memory
    assert 1 == EVENTS.counts()["fetched"]
    content.close()
    assert 0 == fetcher.budget.used


def test_a_larger_object_is_inflated_in_the_pool(fetching: _Fetching) -> None:
    """It would keep the others waiting."""
    fetching.objects.put(BUCKET, KEY, _LARGER, etag=ETAG)

    content = fetching.fetcher().fetch(_a_ref())

    assert isinstance(content, Fetched)
    assert _LARGER == content.read()


def test_a_stream_is_opened_in_the_pool(fetching: _Fetching) -> None:
    """Nothing of it is inflated before the function reads it."""
    fetcher = Fetcher(
        FetchSettings(in_memory_bytes=10),
        connect=lambda: fetching.objects,
        results=fetching.ledger,  # type: ignore[arg-type]
    )

    content = fetcher.fetch(_a_ref())

    assert isinstance(content, Fetched)
    assert not content.in_memory


@pytest.mark.parametrize("stored", [STORED[:-3], STORED[:-6] + b"x" + STORED[-5:]], ids=["cut", "wrong checksum"])
def test_a_corrupt_object_is_a_failure_when_it_is_opened_and_holds_no_memory(
    fetching: _Fetching, stored: bytes
) -> None:
    """Before anything is handed on: the user's function never sees it."""
    fetching.objects.put(BUCKET, KEY, stored, etag=ETAG)
    fetcher = fetching.fetcher()

    arrived = fetcher.fetch(_a_ref())

    assert isinstance(arrived, Arrived)
    failure = _failure(arrived.opened())
    assert (FailureKind.CORRUPT_GZIP, _a_ref()) == (failure.kind, failure.ref)
    assert 0 == fetcher.budget.used
    assert 0 == EVENTS.counts()["fetched"]


def test_what_nobody_foresaw_in_opening_is_an_internal_error(
    fetching: _Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad object never stops the job."""

    def broken(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError("a defect of ours")

    monkeypatch.setattr(retrieval, "inflate_whole", broken)

    failure = _failure(fetching.fetch(_a_ref()))

    assert (FailureKind.INTERNAL_ERROR, "ZeroDivisionError") == (failure.kind, failure.exception_class)


# ── the ledger


def test_the_ledger_is_not_asked_about_a_first_receive(fetching: _Fetching) -> None:
    """A question costs a request, and the answer is known."""
    fetching.ledger.done.add(result_name(BUCKET, KEY, ETAG))

    assert isinstance(fetching.fetch(_a_ref(receive_count=1)), Fetched)
    assert [] == fetching.ledger.asked


def test_what_was_received_before_and_is_done_is_not_fetched_again(fetching: _Fetching) -> None:
    """The output store is the ledger."""
    fetching.ledger.done.add(result_name(BUCKET, KEY, ETAG))
    ref = _a_ref(receive_count=2)

    assert Finished(ref.delivery, 0, FinishedKind.ALREADY_FINISHED, ref) == fetching.fetch(ref)
    assert [] == fetching.objects.opens


def test_what_was_received_before_and_is_not_done_is_fetched(fetching: _Fetching) -> None:
    """Another key, or another content of the same key, is another result."""
    fetching.ledger.done |= {result_name(BUCKET, KEY, "another"), result_name(BUCKET, "another", ETAG)}

    assert isinstance(fetching.fetch(_a_ref(receive_count=2)), Fetched)
    assert [result_name(BUCKET, KEY, ETAG)] == fetching.ledger.asked


def test_a_reference_without_an_etag_is_never_skipped(fetching: _Fetching) -> None:
    """Nothing says that the result is of this content."""
    fetching.ledger.done.add(result_name(BUCKET, KEY, None))

    assert isinstance(fetching.fetch(_a_ref(receive_count=9, etag=None)), Fetched)
    assert [] == fetching.ledger.asked


def test_reprocess_does_it_again(fetching: _Fetching) -> None:
    """After a change of the function."""
    fetching.ledger.done.add(result_name(BUCKET, KEY, ETAG))

    assert isinstance(fetching.fetch(_a_ref(receive_count=9), reprocess=True), Fetched)
    assert [] == fetching.ledger.asked


def test_the_ledger_can_be_asked_about_first_receives_too(fetching: _Fetching) -> None:
    """What a listing tells of is nothing new; with --reprocess it is done again all the same."""
    fetching.ledger.done.add(result_name(BUCKET, KEY, ETAG))

    assert isinstance(fetching.fetch(_a_ref(receive_count=1), asks_ledger_always=True), Finished)
    assert isinstance(fetching.fetch(_a_ref(receive_count=1), asks_ledger_always=True, reprocess=True), Fetched)


def test_a_ledger_that_does_not_answer_is_a_failed_write(fetching: _Fetching) -> None:
    """It is the output that is away: the outage guard counts it so, and the object is not fetched for nothing."""
    fetching.ledger.error = WriteFailedError("503")

    failure = _failure(fetching.fetch(_a_ref(receive_count=2)))

    assert (FailureKind.WRITE_FAILED, "503") == (failure.kind, failure.detail)
    assert [] == fetching.objects.opens


# ── what was notified, and what is there now


def test_an_object_overwritten_since_is_fetched_as_it_is_now(fetching: _Fetching) -> None:
    """Skipping it could lose the last of two quick writes, for which S3 may send one notification."""
    content = fetching.fetch(_a_ref(etag="older"))

    assert isinstance(content, Fetched)
    assert ETAG == content.ref.etag
    assert 1 == EVENTS.counts()["overwritten_since"]


def test_an_object_whose_etag_nobody_told_was_not_overwritten(fetching: _Fetching) -> None:
    """Nobody knows."""
    content = fetching.fetch(_a_ref(etag=None))

    assert isinstance(content, Fetched)
    assert ETAG == content.ref.etag
    assert 0 == EVENTS.counts()["overwritten_since"]


# ── failures


@pytest.mark.parametrize("error", [ObjectGoneError("gone"), ForbiddenError("403")])
def test_what_cannot_be_fetched_is_a_failure_of_its_kind(fetching: _Fetching, error: RecordError) -> None:
    """Nothing is raised."""
    fetching.objects.fail_next(error)

    failure = _failure(fetching.fetch(_a_ref()))

    assert (error.kind, error.detail, _a_ref(), None) == (failure.kind, failure.detail, failure.ref, failure.traceback)
    assert 0 == EVENTS.counts()["fetched"]


def _break_the_ledger(fetching: _Fetching) -> None:
    fetching.ledger.error = ZeroDivisionError("a defect of ours")


def _break_the_objects(fetching: _Fetching) -> None:
    fetching.objects.fail_next(ZeroDivisionError("a defect of ours"))


class _PanicException(BaseException):
    """What a panic in a library written in Rust becomes."""


def test_a_panic_of_a_library_is_an_internal_error_too(fetching: _Fetching) -> None:
    """It is no `Exception`; unnoticed it would end a thread, and its message would be in hand for an hour."""
    fetching.objects.fail_next(_PanicException("called `Option::unwrap()` on a `None` value"))

    failure = _failure(fetching.fetch(_a_ref()))

    assert (FailureKind.INTERNAL_ERROR, f"{__name__}._PanicException") == (failure.kind, failure.exception_class)


@pytest.mark.parametrize("break_it", [_break_the_ledger, _break_the_objects])
def test_what_nobody_foresaw_is_an_internal_error_with_its_traceback(
    fetching: _Fetching, break_it: Callable[[_Fetching], None]
) -> None:
    """One bad object never stops the job."""
    break_it(fetching)

    failure = _failure(fetching.fetch(_a_ref(receive_count=2)))

    assert (FailureKind.INTERNAL_ERROR, "ZeroDivisionError") == (failure.kind, failure.exception_class)
    assert "Traceback" in (failure.traceback or "")
