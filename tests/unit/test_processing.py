"""The user's function may do anything: what it does is the fate of its object, and of nothing else."""

from __future__ import annotations

import gc
import json
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest

from tests.builders import BUCKET, ETAG, KEY, an_object_ref
from tests.unit.test_spools import open_files
from transforms.contents import Fetched
from transforms.events import EVENTS
from transforms.failures import (
    CorruptGzipError,
    FailureKind,
    ObjectGoneError,
    TooLargeError,
    UserError,
    WriteFailedError,
)
from transforms.files import File
from transforms.processing import Processor, check_processor
from transforms.records import Failure, Result
from transforms.result_names import result_name
from transforms.settings import ProcessSettings
from transforms.spools import Spool

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
JOIN_S = 10

Make = Callable[[object], Processor]
returned: dict[str, object] = {}
"""What `answer` is told to return."""


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a processor of what this module names, and close it after the test."""
    made: list[Processor] = []

    def of(processor: Any) -> Processor:  # noqa: ANN401 - a function or a class
        settings = ProcessSettings(processor=f"{__name__}:{processor.__name__}")
        made.append(Processor(settings, clock=lambda: NOW))
        return made[-1]

    yield of
    for processor in made:
        processor.close()


def test_a_result_is_as_old_as_it_is_told_to_be() -> None:
    """So the results of two replays are the same."""
    processor = Processor(ProcessSettings(processed_at=NOW))

    result = processor.process(_content())
    processor.close()

    assert isinstance(result, Result)
    assert "2026-01-02T03:04:05.678Z" == json.loads(result.document)["processed_at"]


def _content(content: bytes = b"a\nb\n") -> Fetched:
    return Fetched(an_object_ref(), content, size=10)


def _broken_content() -> Fetched:
    def chunks() -> Iterator[bytes]:
        yield b"good"
        raise CorruptGzipError("the CRC is wrong")

    return Fetched(an_object_ref(), chunks, size=10)


def _failure(outcome: Result | Failure) -> Failure:
    assert isinstance(outcome, Failure)
    return outcome


def _document(outcome: Result | Failure) -> dict[str, Any]:
    assert isinstance(outcome, Result)
    document: dict[str, Any] = json.loads(outcome.document)
    return document


# ── what the user might write


def count(content: Fetched) -> dict[str, int]:
    """Count bytes."""
    return {"bytes": len(content.read())}


def answer(content: Fetched) -> object:
    """Return what a test put there."""
    return returned["answer"]


class Database:
    """A class with a connection."""

    opened: list[Database] = []  # noqa: RUF012 - each test empties it
    closed: list[Database] = []  # noqa: RUF012

    def __init__(self) -> None:
        """Connect."""
        self.calls = 0
        self.opened.append(self)

    def __call__(self, content: Fetched) -> dict[str, int]:
        """Insert."""
        self.calls += 1
        return {"calls": self.calls}

    def close(self) -> None:
        """Disconnect."""
        self.closed.append(self)
        raise OSError("the connection is gone already")


class Closeless:
    """A class with nothing to close."""

    def __call__(self, content: Fetched) -> dict[str, int]:
        """Do nothing."""
        return {}


class Unconnected:
    """A class whose database is away for the first object."""

    attempts = 0

    def __init__(self) -> None:
        """Connect, the second time."""
        type(self).attempts += 1
        if self.attempts == 1:
            raise ConnectionRefusedError("no database")

    def __call__(self, content: Fetched) -> dict[str, int]:
        """Insert."""
        return {}


class Uncallable:
    """A class whose instances cannot be called."""


def raise_value_error(content: Fetched) -> NoReturn:
    """Raise what most functions raise."""
    raise ValueError("line 3 is no date")


def exit_the_interpreter(content: Fetched) -> NoReturn:
    """Do what scripts do."""
    sys.exit("bye")


def interrupt(content: Fetched) -> NoReturn:
    """Raise what is no `Exception`."""
    raise KeyboardInterrupt


def recurse(content: Fetched) -> object:
    """Recurse for ever."""
    return recurse(content)


def exhaust_memory(content: Fetched) -> NoReturn:
    """Raise what the interpreter raises."""
    raise MemoryError


class WordlessError(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        """Fail."""
        raise ValueError("no words")


def raise_wordless(content: Fetched) -> NoReturn:
    """Raise an exception that raises."""
    raise WordlessError


def raise_one_of_ours(content: Fetched) -> NoReturn:
    """Raise an error of this project, which was not its content's."""
    raise ObjectGoneError("my other object is gone")


def swallow(content: Fetched) -> dict[str, int]:
    """Make do with what can be read."""
    size = 0
    try:
        for chunk in content.chunks():
            size += len(chunk)
    except CorruptGzipError:
        pass
    return {"size": size}


def swallow_and_return_rubbish(content: Fetched) -> object:
    """Make do with it, badly."""
    swallow(content)
    return None


def wrap(content: Fetched) -> object:
    """Raise an exception of its own."""
    try:
        return {"size": len(content.read())}
    except CorruptGzipError as error:
        raise RuntimeError("cannot read it") from error


def swallow_and_raise(content: Fetched) -> NoReturn:
    """Make do with it, and stumble."""
    swallow(content)
    raise RuntimeError("something else")


def ignore_the_content(content: Fetched) -> dict[str, int]:
    """Read nothing."""
    return {}


def read_a_little(content: Fetched) -> dict[str, str]:
    """Read the beginning only."""
    return {"first": next(content.chunks()).decode()}


# ── functions and classes


def test_what_a_function_returns_becomes_the_document(make: Make) -> None:
    """With the time, and the object that was fetched."""
    outcome = make(count).process(_content(b"four"))

    document = _document(outcome)
    assert {"bytes": 4, "processed_at": "2026-01-02T03:04:05.678Z"} == {
        name: document[name] for name in document if name != "source"
    }
    assert ETAG == document["source"]["etag"]
    assert isinstance(outcome, Result)
    assert an_object_ref() == outcome.ref
    assert 1 == EVENTS.counts()["processed"]


def test_a_class_is_built_once_and_called_for_each_object(make: Make) -> None:
    """It holds a connection."""
    Database.opened.clear()
    processor = make(Database)

    assert [1, 2, 3] == [_document(processor.process(_content()))["calls"] for _ in range(3)]
    assert 1 == len(Database.opened)


def test_each_thread_has_an_instance_of_its_own_and_close_closes_all(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    """Two threads never share a connection; one that cannot be closed keeps no other open."""
    Database.opened.clear()
    Database.closed.clear()
    processor = make(Database)
    outcomes: list[Result | Failure] = []
    threads = [
        threading.Thread(target=lambda: outcomes.extend(processor.process(_content()) for _ in range(2)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(JOIN_S)

    assert [1, 1, 1, 2, 2, 2] == sorted(_document(outcome)["calls"] for outcome in outcomes)
    assert 3 == len(Database.opened)
    processor.close()
    assert Database.opened == Database.closed
    assert 3 == caplog.text.count("closing the processor failed")


def test_a_class_need_not_have_anything_to_close(make: Make) -> None:
    """Most have not."""
    processor = make(Closeless)

    assert isinstance(processor.process(_content()), Result)
    processor.close()


def test_a_class_that_cannot_be_built_now_is_tried_again_for_the_next_object(make: Make) -> None:
    """A database may be away for a moment; the object goes back to the queue."""
    Unconnected.attempts = 0
    processor = make(Unconnected)

    failure = _failure(processor.process(_content()))

    assert (FailureKind.PROCESSOR_ERROR, "ConnectionRefusedError") == (failure.kind, failure.exception_class)
    assert isinstance(processor.process(_content()), Result)


# ── whatever it raises


@pytest.mark.parametrize(
    ("function", "detail", "exception_class"),
    [
        (raise_value_error, "ValueError: line 3 is no date", "ValueError"),
        (exit_the_interpreter, "SystemExit: bye", "SystemExit"),
        (interrupt, "KeyboardInterrupt: ", "KeyboardInterrupt"),
        (recurse, "RecursionError: maximum recursion depth exceeded", "RecursionError"),
        (exhaust_memory, "MemoryError: ", "MemoryError"),
        (raise_wordless, "WordlessError: its own __str__ raises", f"{__name__}.WordlessError"),
        (raise_one_of_ours, "ObjectGoneError: my other object is gone", "transforms.failures.ObjectGoneError"),
    ],
)
def test_whatever_the_function_raises_is_a_processor_error_with_its_traceback(
    make: Make, function: Callable[[Fetched], object], detail: str, exception_class: str
) -> None:
    """`BaseException` included; the next object is processed as if nothing had been."""
    processor = make(function)

    failure = _failure(processor.process(_content()))

    assert FailureKind.PROCESSOR_ERROR == failure.kind
    assert failure.detail.startswith(detail)
    assert exception_class == failure.exception_class
    assert failure.traceback is not None
    assert f"in {function.__name__}" in failure.traceback
    assert an_object_ref() == failure.ref
    assert FailureKind.PROCESSOR_ERROR == _failure(processor.process(_content())).kind
    assert {} == processor._running
    assert 0 == EVENTS.counts()["processed"]


@pytest.mark.parametrize(
    "rubbish", [None, 3, "text", ["text"], iter([1]), {"source": 1}, {"a": float("nan")}, {1: 2}, {"a": b""}]
)
def test_rubbish_that_the_function_returns_is_a_bad_result(make: Make, rubbish: object) -> None:
    """Nothing of it is stored; the function, not the job, is to be mended."""
    returned["answer"] = rubbish

    failure = _failure(make(answer).process(_content()))

    assert FailureKind.BAD_RESULT == failure.kind
    assert "the processor returned" in failure.detail
    assert failure.traceback is None


def test_a_processed_at_of_the_users_own_is_kept(make: Make) -> None:
    """They may mean another moment."""
    returned["answer"] = {"processed_at": datetime(2001, 1, 1, tzinfo=UTC)}

    assert "2001-01-01T00:00:00.000Z" == _document(make(answer).process(_content()))["processed_at"]


# ── rows and files


def rows_of_lines(content: Fetched) -> Iterator[dict[str, str]]:
    """Yield a row for each line; a generator function, as a `def` with `yield` is."""
    for line in content.lines():
        yield {"line": line.decode()}


def a_file_of_chunks(content: Fetched) -> File:
    """Copy the content."""
    return File(".bin", content.chunks(), fields={"copied": True})


def fail_after_a_thousand(content: Fetched) -> Iterator[dict[str, int]]:
    """Yield more than is kept in memory, and stumble."""
    for number in range(1000):
        yield {"number": number, "text": "x" * 2000}
    raise LookupError("no such customer")


class RowsOfAClass:
    """A class whose call is a generator."""

    def __call__(self, content: Fetched) -> Iterator[dict[str, int]]:
        """Yield one row."""
        yield {"bytes": len(content.read())}


def one_bad_row(content: Fetched) -> Iterator[object]:
    """Yield a row that is none."""
    yield from ({}, 3)


def swallow_within_rows(content: Fetched) -> Iterator[dict[str, int]]:
    """Make do with what can be read."""
    yield {"size": swallow(content)["size"]}


def one_row_and_no_more_reading(content: Fetched) -> Iterator[dict[str, str]]:
    """Read the beginning only."""
    yield read_a_little(content)


def _rows(outcome: Result | Failure) -> bytes:
    assert isinstance(outcome, Result)
    assert outcome.rows is not None
    content = outcome.rows.rewound().read()
    outcome.rows.close()
    return content


def test_rows_are_drawn_while_the_content_is_open_and_the_document_says_where_they_are(make: Make) -> None:
    """A generator reads as it is drawn."""
    outcome = make(rows_of_lines).process(_content())

    document = _document(outcome)
    assert {"name": result_name(BUCKET, KEY, ETAG, ".jsonl"), "count": 2, "bytes": 28} == document["rows"]
    assert ["processed_at", "rows", "source"] == list(document)
    assert b'{"line": "a"}\n{"line": "b"}\n' == _rows(outcome)


def test_a_file_is_drawn_too_and_has_fields_beside_it(make: Make) -> None:
    """Of another format."""
    outcome = make(a_file_of_chunks).process(_content())

    document = _document(outcome)
    assert {"name": result_name(BUCKET, KEY, ETAG, ".bin"), "bytes": 4} == document["rows"]
    assert document["copied"]
    assert b"a\nb\n" == _rows(outcome)


def test_a_class_may_be_called_for_rows(make: Make) -> None:
    """Each of its calls is a generator."""
    assert b'{"bytes": 4}\n' == _rows(make(RowsOfAClass).process(_content()))


def test_a_mapping_has_no_rows_beside_it(make: Make) -> None:
    """And may have a field of that name."""
    returned["answer"] = {"rows": 3}

    outcome = make(answer).process(_content())

    assert isinstance(outcome, Result)
    assert outcome.rows is None
    assert 3 == _document(outcome)["rows"]


def test_an_error_after_a_thousand_rows_leaves_nothing_behind(make: Make) -> None:
    """It is the processor's, with its traceback; what was written is gone."""
    gc.collect()
    before = open_files()

    failure = _failure(make(fail_after_a_thousand).process(_content()))

    assert (FailureKind.PROCESSOR_ERROR, "LookupError: no such customer") == (failure.kind, failure.detail)
    assert "in fail_after_a_thousand" in (failure.traceback or "")
    assert before == open_files()


def test_a_row_that_is_none_is_a_bad_result_that_names_it(make: Make) -> None:
    """Rows are stored whole or not at all."""
    failure = _failure(make(one_bad_row).process(_content()))

    assert FailureKind.BAD_RESULT == failure.kind
    assert "in row 2, the processor returned int; return a mapping of field to value" == failure.detail
    assert failure.traceback is None


@pytest.mark.parametrize(
    "function", [rows_of_lines, a_file_of_chunks, swallow_within_rows, one_row_and_no_more_reading]
)
def test_a_broken_content_decides_the_fate_of_rows_too(make: Make, function: Callable[[Fetched], object]) -> None:
    """In the middle of its stream, after rows that looked well."""
    failure = _failure(make(function).process(_broken_content()))

    assert (FailureKind.CORRUPT_GZIP, "the CRC is wrong") == (failure.kind, failure.detail)


def test_rows_that_the_temporary_disk_does_not_take_are_a_failed_write(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not the function's fault: the outage guard watches this kind."""

    def refuse(*_: object) -> NoReturn:
        raise WriteFailedError("the disk is full")

    monkeypatch.setattr(Spool, "write", refuse)

    failure = _failure(make(rows_of_lines).process(_content()))

    assert (FailureKind.WRITE_FAILED, "the disk is full") == (failure.kind, failure.detail)


@pytest.mark.parametrize("function", [rows_of_lines, fail_after_a_thousand, one_bad_row])
def test_the_memory_of_a_content_is_free_after_its_rows(make: Make, function: Callable[[Fetched], object]) -> None:
    """Not before: they are made of it."""
    freed: list[bool] = []
    content = Fetched(an_object_ref(), b"abc", size=3, on_close=lambda: freed.append(True))

    outcome = make(function).process(content)

    assert [True] == freed
    if isinstance(outcome, Result):
        assert b'{"line": "abc"}\n' == _rows(outcome)


# ── the content's own errors


@pytest.mark.parametrize(
    "function",
    [
        swallow,
        swallow_and_return_rubbish,
        wrap,
        swallow_and_raise,
        ignore_the_content,
        read_a_little,
        raise_value_error,
    ],
)
def test_a_content_that_was_read_and_is_broken_decides_the_fate(
    make: Make, function: Callable[[Fetched], object]
) -> None:
    """Whatever the function did with the exception, and although it read nothing of it; unless it raised before."""
    failure = _failure(make(function).process(_broken_content()))

    if function is raise_value_error:
        assert FailureKind.PROCESSOR_ERROR == failure.kind
        return
    assert FailureKind.CORRUPT_GZIP == failure.kind
    assert "the CRC is wrong" == failure.detail
    assert "transforms.failures.CorruptGzipError" == failure.exception_class
    assert failure.traceback is None


def test_a_read_over_the_limit_is_too_large_although_the_function_returned(make: Make) -> None:
    """A function that catches everything does not get away with half a content."""

    def chunks() -> Iterator[bytes]:
        raise TooLargeError("--max_object_bytes is 3")
        yield b""

    assert FailureKind.TOO_LARGE == _failure(make(swallow_all).process(Fetched(an_object_ref(), chunks, size=1))).kind


def swallow_all(content: Fetched) -> dict[str, int]:
    """Catch everything."""
    try:
        content.read()
    except BaseException:  # noqa: BLE001 - as users do
        return {}
    raise AssertionError


def test_what_nobody_foresaw_while_reading_is_not_the_functions_fault(make: Make) -> None:
    """And the dead letter has its traceback, not that of the function's own exception."""

    def chunks() -> Iterator[bytes]:
        raise ZeroDivisionError("a defect of ours")
        yield b""

    failure = _failure(make(wrap_all).process(Fetched(an_object_ref(), chunks, size=1)))

    assert FailureKind.INTERNAL_ERROR == failure.kind
    assert "ZeroDivisionError" == failure.exception_class
    assert failure.traceback is not None
    assert "in chunks" in failure.traceback


def wrap_all(content: Fetched) -> object:
    """Raise an exception of its own whatever it was."""
    try:
        return {"size": len(content.read())}
    except Exception as error:
        raise RuntimeError("cannot read it") from error


@pytest.mark.parametrize("function", [count, raise_value_error, interrupt, swallow])
def test_the_memory_of_a_content_is_free_after_it(make: Make, function: Callable[[Fetched], object]) -> None:
    """Whatever became of it."""
    freed: list[bool] = []
    content = Fetched(an_object_ref(), b"abc", size=3, on_close=lambda: freed.append(True))

    make(function).process(content)

    assert [True] == freed
    with pytest.raises(ValueError, match="is closed"):
        content.read()


# ── at the start of the job


def test_a_processor_that_can_be_called_is_accepted() -> None:
    """Function or class."""
    check_processor(f"{__name__}:count")
    check_processor(f"{__name__}:Database")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "has no attribute nothing"),
        ("Uncallable", "a class whose instances cannot be called; define __call__"),
    ],
)
def test_a_processor_that_cannot_be_called_is_refused_in_a_sentence(name: str, said: str) -> None:
    """Before the first message is received."""
    with pytest.raises(UserError, match=said):
        check_processor(f"{__name__}:{name}")
