"""By which door each record leaves: the table of fates, row by row, and what is stored before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import BUCKET, ETAG, KEY, RECEIVED_AT, a_delivery, an_object_ref
from tests.fakes import FakeStore
from transforms.events import EVENTS
from transforms.failures import (
    DEFAULT_FATES,
    OUTSIDE_KINDS,
    FailureKind,
    Fate,
    FinishedKind,
    InternalError,
    UnreadableNotificationError,
    WriteFailedError,
)
from transforms.outages import OUTAGE_MESSAGES, OutageGuard
from transforms.records import Door, Failure, Finished, Result
from transforms.result_names import dead_letter_name, result_name
from transforms.settings import WriteSettings
from transforms.settling import Outcome, Settler, settle
from transforms.spools import Spool

if TYPE_CHECKING:
    from datetime import datetime

    from transforms.records import Delivery

NEVER = 10_000
"""As many receives as no message has."""

SET_ASIDE = {
    FailureKind.UNREADABLE_NOTIFICATION,
    FailureKind.BUCKET_NOT_ALLOWED,
    FailureKind.RECEIVED_TOO_OFTEN,
    FailureKind.OBJECT_GONE,
    FailureKind.CORRUPT_GZIP,
    FailureKind.TOO_LARGE,
    FailureKind.ARCHIVED,
}
RETURNED = {FailureKind.PROCESSOR_ERROR, FailureKind.BAD_RESULT}
RETURNED_AND_EXCUSED = {
    FailureKind.FORBIDDEN,
    FailureKind.BUCKET_GONE,
    FailureKind.THROTTLED,
    FailureKind.UNAVAILABLE,
    FailureKind.TIMED_OUT,
    FailureKind.BROKEN_TRANSFER,
    FailureKind.WRITE_FAILED,
    FailureKind.INTERNAL_ERROR,
}
"""Never set aside while the outage guard pauses."""


class _PanicException(BaseException):
    """What a panic in a library written in Rust becomes: no `Exception`."""


class _Shelf(FakeStore):
    """A store that fails as a test says."""

    error: BaseException | None = None

    @property
    def documents(self) -> dict[str, bytes]:
        """What is stored, by name."""
        return self._documents

    def put(self, name: str, document: bytes) -> None:
        """Store, or fail."""
        if self.error is not None:
            raise self.error
        super().put(name, document)


class _Settling:
    """A settler and everything that it touches."""

    def __init__(
        self,
        *,
        give_up_after: int = 5,
        fates: dict[FailureKind, Fate] | None = None,
        failed_at: datetime | None = None,
    ) -> None:
        self.results = _Shelf()
        self.dead_letters = _Shelf()
        self.guard = OutageGuard()
        fates = {**DEFAULT_FATES, **(fates or {})}
        settings = WriteSettings(give_up_after=give_up_after, fates=fates, failed_at=failed_at)
        self.settler = Settler(settings, results=self.results, dead_letters=self.dead_letters, guard=self.guard)

    def door(self, kind: FailureKind, *, receive_count: int = 1) -> Door:
        """By which door a failure of this kind leaves."""
        return self.settler.store(_a_failure(kind, receive_count=receive_count)).door

    def pause(self) -> None:
        """Begin an outage of the source."""
        for number in range(OUTAGE_MESSAGES):
            self.guard.failed(FailureKind.UNAVAILABLE, f"other-{number}", "503")

    def letter(self, message_id: str = "message-1", index: int = 0) -> dict[str, Any]:
        """Read a dead letter."""
        letter: dict[str, Any] = json.loads(self.dead_letters.documents[dead_letter_name(message_id, index)])
        return letter


@pytest.fixture
def settling() -> _Settling:
    """Give up after five receives."""
    return _Settling()


def _a_failure(kind: FailureKind, *, receive_count: int = 1) -> Failure:
    ref = an_object_ref(delivery=a_delivery(receive_count=receive_count))
    return Failure(ref.delivery, ref.index, ref, kind, "for a reason", "SomeError")


def _a_result(document: bytes = b"{}\n") -> Result:
    return Result(an_object_ref(), document)


def test_a_dead_letter_is_as_old_as_it_is_told_to_be() -> None:
    """So those of two replays are the same."""
    settling = _Settling(failed_at=RECEIVED_AT)
    settling.door(FailureKind.OBJECT_GONE)

    assert "2026-01-02T03:04:07.000Z" == settling.letter()["failed_at"]


# ── results and nothing to do


def test_a_result_leaves_as_stored_under_the_name_of_its_content(settling: _Settling) -> None:
    """A repeat overwrites it."""
    outcomes = [settling.settler.store(_a_result(document)) for document in (b"1", b"2")]

    assert [
        Outcome(_a_result(b"1"), Door.STORED, "stored"),
        Outcome(_a_result(b"2"), Door.STORED, "stored"),
    ] == outcomes
    assert {result_name(BUCKET, KEY, ETAG): b"2"} == settling.results.documents
    assert {} == settling.dead_letters.documents
    assert 2 == EVENTS.counts()["stored_records"]


@pytest.mark.parametrize("kind", FinishedKind)
def test_what_has_nothing_to_do_is_ignored(settling: _Settling, kind: FinishedKind) -> None:
    """And counted."""
    finished = Finished(a_delivery(), 0, kind)

    assert Outcome(finished, Door.IGNORED, kind) == settling.settler.store(finished)
    assert 1 == EVENTS.counts()[kind]
    assert {} == settling.results.documents | settling.dead_letters.documents


# ── rows beside a result


def _rows(content: bytes = b'{"n": 1}\n') -> Spool:
    spool = Spool(result_name(BUCKET, KEY, ETAG, ".jsonl"))
    spool.write(content)
    spool.flush()
    return spool


def test_rows_are_stored_before_the_document_that_names_them(settling: _Settling) -> None:
    """Who sees the document finds the rows whole."""
    rows = _rows()

    outcome = settling.settler.store(Result(an_object_ref(), b"{}", rows))

    assert Door.STORED == outcome.door
    stored = list(settling.results.documents.items())
    assert [(rows.name, b'{"n": 1}\n'), (result_name(BUCKET, KEY, ETAG), b"{}")] == stored
    assert 1 == EVENTS.counts()["stored_records"]


def test_without_its_rows_no_document_is_stored(settling: _Settling) -> None:
    """It goes back, and its rows are made again."""
    settling.results.error = WriteFailedError("the disk is full")

    outcome = settling.settler.store(Result(an_object_ref(), b"{}", _rows()))

    assert (Door.RETURNED, FailureKind.WRITE_FAILED) == (outcome.door, outcome.kind)
    assert {} == settling.results.documents


def test_rows_that_are_not_here_any_more_return_their_message(settling: _Settling) -> None:
    """A runner took their result to another process, and them not."""
    rows = _rows()
    rows.close()

    outcome = settling.settler.store(Result(an_object_ref(), b"{}", rows))

    assert (Door.RETURNED, FailureKind.WRITE_FAILED) == (outcome.door, outcome.kind)
    assert {} == settling.results.documents


@pytest.mark.parametrize("error", [None, WriteFailedError("full"), ZeroDivisionError("ours"), _PanicException("rust")])
def test_rows_have_left_the_temporary_disk_whatever_became_of_them(
    settling: _Settling, error: BaseException | None
) -> None:
    """At the door, not when somebody forgets them."""
    settling.results.error = error
    rows = _rows()

    settling.settler.store(Result(an_object_ref(), b"{}", rows))

    with pytest.raises(WriteFailedError, match="or closed"):
        rows.rewound()


# ── the table of fates


def test_the_table_has_a_row_for_every_kind() -> None:
    """The rows of this test and of the code are the same."""
    rows = [*SET_ASIDE, *RETURNED, *RETURNED_AND_EXCUSED]

    assert sorted(FailureKind) == sorted(rows)
    assert sorted(FailureKind) == sorted(DEFAULT_FATES)
    assert OUTSIDE_KINDS | {FailureKind.INTERNAL_ERROR} == RETURNED_AND_EXCUSED


@pytest.mark.parametrize("kind", sorted(SET_ASIDE))
def test_a_failure_that_will_not_pass_is_set_aside_at_once(settling: _Settling, kind: FailureKind) -> None:
    """Asking again would give the same answer."""
    failure = _a_failure(kind)

    assert Outcome(failure, Door.SET_ASIDE, kind) == settling.settler.store(failure)
    assert kind == settling.letter()["kind"]
    assert (1, 1) == (EVENTS.counts()[kind], EVENTS.counts()["set_aside_records"])


@pytest.mark.parametrize("kind", sorted(RETURNED | RETURNED_AND_EXCUSED))
def test_a_failure_that_may_pass_is_returned_until_we_give_up(settling: _Settling, kind: FailureKind) -> None:
    """Only then is there a dead letter."""
    assert [Door.RETURNED] * 4 == [settling.door(kind, receive_count=receives) for receives in (1, 2, 3, 4)]
    assert {} == settling.dead_letters.documents
    assert (4, 4) == (EVENTS.counts()[kind], EVENTS.counts()["failed_records"])

    assert Door.SET_ASIDE == settling.door(kind, receive_count=5)
    assert (kind, 5) == (settling.letter()["kind"], settling.letter()["receive_count"])


@pytest.mark.parametrize("kind", FailureKind)
def test_receives_beyond_the_last_are_set_aside_too(settling: _Settling, kind: FailureKind) -> None:
    """A crash may have eaten the receive at which we would have given up."""
    assert Door.SET_ASIDE == settling.door(kind, receive_count=NEVER)


def test_give_up_after_one_receive_sets_everything_aside() -> None:
    """A replay in CI wants no second try."""
    settling = _Settling(give_up_after=1)

    assert {Door.SET_ASIDE} == {settling.door(kind) for kind in FailureKind}


@pytest.mark.parametrize("kind", sorted(RETURNED_AND_EXCUSED))
def test_nothing_with_an_outside_reason_is_set_aside_during_an_outage(settling: _Settling, kind: FailureKind) -> None:
    """However often it was received: it is not to blame."""
    settling.pause()

    assert Door.RETURNED == settling.door(kind, receive_count=NEVER)
    assert {} == settling.dead_letters.documents


@pytest.mark.parametrize("kind", sorted(RETURNED))
def test_the_users_own_errors_are_set_aside_even_after_an_outage_of_others(
    settling: _Settling, kind: FailureKind
) -> None:
    """That the function saw the content says that the outside answers: the outage is over."""
    settling.pause()

    assert Door.SET_ASIDE == settling.door(kind, receive_count=5)
    assert not settling.guard.pausing


def test_the_message_that_completes_an_outage_is_not_set_aside(settling: _Settling) -> None:
    """At its last receive it would be the outage's victim."""
    for number in range(OUTAGE_MESSAGES - 1):
        settling.guard.failed(FailureKind.FORBIDDEN, f"other-{number}", "403")

    assert Door.RETURNED == settling.door(FailureKind.FORBIDDEN, receive_count=5)
    assert settling.guard.pausing


# ── --fate


@pytest.mark.parametrize("kind", FailureKind)
def test_a_changed_fate_sets_aside_at_once(kind: FailureKind) -> None:
    """Any row of the table."""
    assert Door.SET_ASIDE == _Settling(fates={kind: Fate.SET_ASIDE}).door(kind)


@pytest.mark.parametrize("kind", FailureKind)
def test_a_changed_fate_returns_until_we_give_up(kind: FailureKind) -> None:
    """The limit holds for it too."""
    settling = _Settling(fates={kind: Fate.RETURN})

    assert [Door.RETURNED, Door.SET_ASIDE] == [settling.door(kind, receive_count=receives) for receives in (4, 5)]


@pytest.mark.parametrize("kind", FailureKind)
def test_a_changed_fate_ignores_without_a_trace_but_a_counter(kind: FailureKind) -> None:
    """However often it was received."""
    settling = _Settling(fates={kind: Fate.IGNORE})

    assert Door.IGNORED == settling.door(kind, receive_count=NEVER)
    assert {} == settling.dead_letters.documents
    assert 1 == EVENTS.counts()[kind]


# ── stores that do not take it


def test_a_result_that_cannot_be_stored_is_returned(settling: _Settling) -> None:
    """Its message is not deleted."""
    settling.results.error = WriteFailedError("the disk is full")

    outcome = settling.settler.store(_a_result())

    assert (Door.RETURNED, FailureKind.WRITE_FAILED) == (outcome.door, outcome.kind)
    assert isinstance(outcome.source, Failure)
    assert ("the disk is full", an_object_ref()) == (outcome.source.detail, outcome.source.ref)
    assert 0 == EVENTS.counts()["stored_records"]


@pytest.mark.parametrize("foreseen_by_nobody", [ZeroDivisionError, _PanicException])
def test_what_nobody_foresaw_while_storing_is_an_internal_error(
    settling: _Settling, foreseen_by_nobody: type[BaseException]
) -> None:
    """It is returned like other failures, with its traceback."""
    settling.results.error = foreseen_by_nobody("a defect of ours")

    outcome = settling.settler.store(_a_result())

    assert (Door.RETURNED, FailureKind.INTERNAL_ERROR) == (outcome.door, outcome.kind)
    assert isinstance(outcome.source, Failure)
    assert foreseen_by_nobody.__name__ == (outcome.source.exception_class or "").rpartition(".")[2]
    assert "in put" in (outcome.source.traceback or "")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (WriteFailedError("denied"), FailureKind.WRITE_FAILED),
        (InternalError("denied"), FailureKind.INTERNAL_ERROR),
        (ZeroDivisionError("denied"), FailureKind.INTERNAL_ERROR),
    ],
)
@pytest.mark.parametrize("receive_count", [1, 5, NEVER])
def test_a_dead_letter_that_cannot_be_stored_returns_its_message(
    settling: _Settling, error: Exception, kind: FailureKind, receive_count: int
) -> None:
    """Whatever its fate and its receives; and says both reasons."""
    settling.dead_letters.error = error

    outcome = settling.settler.store(_a_failure(FailureKind.OBJECT_GONE, receive_count=receive_count))

    assert (Door.RETURNED, kind) == (outcome.door, outcome.kind)
    assert isinstance(outcome.source, Failure)
    assert "denied" in outcome.source.detail
    assert "object_gone: for a reason" in outcome.source.detail
    assert (1, 0) == (EVENTS.counts()["failed_records"], EVENTS.counts()["set_aside_records"])
    assert (1, 1) == (EVENTS.counts()[kind], EVENTS.counts()[FailureKind.OBJECT_GONE])


def test_a_dead_letter_that_cannot_be_stored_keeps_its_place_in_the_message(settling: _Settling) -> None:
    """Or the wrong record would be counted out."""
    settling.dead_letters.error = WriteFailedError("denied")
    unreadable = Failure.of(a_delivery(records=3), UnreadableNotificationError("no key"))
    third = Failure(unreadable.delivery, 2, None, unreadable.kind, unreadable.detail, unreadable.exception_class)

    source = settling.settler.store(third).source

    assert isinstance(source, Failure)
    assert 2 == source.index


def test_dead_letters_that_cannot_be_stored_are_an_outage_of_the_output(settling: _Settling) -> None:
    """And the first that can be is its end."""
    settling.dead_letters.error = WriteFailedError("503")
    for number in range(OUTAGE_MESSAGES):
        ref = an_object_ref(delivery=a_delivery(message_id=f"message-{number}"))
        settling.settler.store(Failure(ref.delivery, 0, ref, FailureKind.CORRUPT_GZIP, "no", "SomeError"))
    assert settling.guard.pausing

    settling.dead_letters.error = None
    settling.settler.store(_a_failure(FailureKind.CORRUPT_GZIP))

    assert not settling.guard.pausing


def test_a_stored_result_ends_an_outage(settling: _Settling) -> None:
    """It was read and it was written."""
    settling.pause()

    settling.settler.store(_a_result())

    assert not settling.guard.pausing


# ── telling the consumer


class _Counted:
    """Notes what is settled."""

    def __init__(self) -> None:
        self.settled: list[tuple[object, ...]] = []

    def settle(self, delivery: Delivery, index: int, door: Door, *, kind: str, bucket: str | None) -> None:
        self.settled.append((delivery, index, door, kind, bucket))


def test_the_consumer_is_told_which_record_of_which_delivery_left_by_which_door() -> None:
    """Whatever it was."""
    delivery = a_delivery(records=4)
    ref = an_object_ref(delivery=delivery, index=1)
    outcomes = [
        Outcome(Finished(delivery, 0, FinishedKind.NOT_CREATED), Door.IGNORED, "not_created"),
        Outcome(Result(ref, b"{}"), Door.STORED, "stored"),
        Outcome(Failure(delivery, 2, None, FailureKind.OBJECT_GONE, "", ""), Door.SET_ASIDE, "object_gone"),
        Outcome(Finished(delivery, 3, FinishedKind.FILTERED, ref), Door.IGNORED, "filtered"),
    ]
    counted = _Counted()

    for outcome in outcomes:
        settle(counted, outcome)

    assert [
        (delivery, 0, Door.IGNORED, "not_created", None),
        (delivery, 1, Door.STORED, "stored", BUCKET),
        (delivery, 2, Door.SET_ASIDE, "object_gone", None),
        (delivery, 3, Door.IGNORED, "filtered", BUCKET),
    ] == counted.settled
