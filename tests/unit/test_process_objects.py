"""The third step in a pipeline: contents become results, and everything else passes through untouched."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.builders import a_delivery, an_object_ref
from tests.steps import TIMEOUT_S, outputs_of
from transforms.contents import Fetched
from transforms.failures import CorruptGzipError, FailureKind, FinishedKind, ObjectGoneError
from transforms.process_objects import ProcessObjects
from transforms.records import Failure, Finished, Pulse, Result
from transforms.settings import ProcessSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SLOW = "slow.gz"
slow_may_end = threading.Event()
threads: dict[str, str] = {}
"""By key: the name of the thread that the function was called in."""


@pytest.fixture(autouse=True)
def _nothing_yet() -> None:
    slow_may_end.clear()
    threads.clear()


def wait_if_slow(content: Fetched) -> dict[str, int]:
    """Count bytes; of `SLOW` only when the test says so."""
    threads[content.ref.key] = threading.current_thread().name
    if content.ref.key == SLOW:
        assert slow_may_end.wait(TIMEOUT_S)
    if content.ref.key.startswith("bad"):
        raise ValueError("no such day")
    return {"bytes": sum(len(chunk) for chunk in content.chunks())}


def three_megabytes_of_rows(content: Fetched) -> Iterator[dict[str, str]]:
    """Yield more than is kept in memory."""
    yield from ({"text": "x" * 1000} for _ in range(3000))


def _step(concurrency: int = 1) -> ProcessObjects:
    return ProcessObjects(ProcessSettings(processor=f"{__name__}:wait_if_slow", concurrency=concurrency))


def _in_memory(key: str) -> Fetched:
    return Fetched(an_object_ref(key=key), b"12345", size=5)


def _chunks() -> Iterator[bytes]:
    yield b"123"
    yield b"45"


def _broken_chunks() -> Iterator[bytes]:
    yield b"123"
    raise CorruptGzipError("the CRC is wrong")


def _streamed(key: str, content: object = _chunks) -> Fetched:
    return Fetched(an_object_ref(key=key), content, size=5)


def _keys(outputs: list[Result | Failure]) -> list[str]:
    return [output.ref.key for output in outputs if output.ref is not None]


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("make", [_in_memory, _streamed])
def test_a_content_becomes_a_result(concurrency: int, make: Callable[[str], Fetched]) -> None:
    """In the bundle's thread or in the pool."""
    result, pulse = outputs_of(_step(concurrency), [make("a.gz")], outputs=1)

    assert isinstance(result, Result)
    assert an_object_ref(key="a.gz") == result.ref
    assert 5 == json.loads(result.document)["bytes"]
    assert Pulse() == pulse


@pytest.mark.parametrize("make", [_in_memory, _streamed])
def test_many_rows_come_out_whole_and_were_not_pickled(make: Callable[[str], Fetched]) -> None:
    """Beam pickles the first few records to know their size; these would be in memory then."""
    step = ProcessObjects(ProcessSettings(processor=f"{__name__}:three_megabytes_of_rows"))

    result, _ = outputs_of(step, [make("a.gz")], outputs=1)

    assert isinstance(result, Result)
    assert result.rows is not None
    where = json.loads(result.document)["rows"]
    content = result.rows.rewound().read()
    result.rows.close()
    assert (result.rows.name, 3000, len(content)) == (where["name"], where["count"], where["bytes"])
    assert 3000 == content.count(b"\n")


def test_whatever_goes_wrong_is_a_failure_in_the_same_river() -> None:
    """What the function raised, and what its content turned out to be; the next ones are processed."""
    contents = [_in_memory("bad.gz"), _streamed("corrupt.gz", _broken_chunks), _in_memory("good.gz")]

    *outputs, _ = outputs_of(_step(), contents, outputs=3)

    kinds = {output.ref.key: getattr(output, "kind", "result") for output in outputs}
    assert {
        "bad.gz": FailureKind.PROCESSOR_ERROR,
        "corrupt.gz": FailureKind.CORRUPT_GZIP,
        "good.gz": "result",
    } == kinds


@pytest.mark.parametrize("concurrency", [1, 3])
def test_every_other_outcome_passes_through_untouched(concurrency: int) -> None:
    """In order, and the function never sees it."""
    outcomes = [
        Finished(a_delivery(), 0, FinishedKind.ALREADY_FINISHED, an_object_ref()),
        Failure.of(an_object_ref(), ObjectGoneError("gone")),
        Failure.of(a_delivery(), ObjectGoneError("gone")),
    ]

    assert [*outcomes, Pulse()] == outputs_of(_step(concurrency), outcomes, outputs=3)
    assert {} == threads


def test_with_a_concurrency_of_1_small_contents_are_processed_in_the_bundles_thread() -> None:
    """In order, each before the next is looked at: it costs no hand-over."""
    keys = [f"{number}.gz" for number in range(5)]

    *outputs, _ = outputs_of(_step(), [_in_memory(key) for key in keys], outputs=5)

    assert keys == _keys(outputs)
    assert not any(name.startswith("process-") for name in threads.values())


def test_with_a_concurrency_of_1_a_large_content_holds_up_no_small_one() -> None:
    """It is streamed in the one thread beside the bundle's."""
    small = [f"{number}.gz" for number in range(20)]

    *outputs, _ = outputs_of(
        _step(),
        [_streamed(SLOW), *map(_in_memory, small)],
        outputs=21,
        on_output=lambda outputs: outputs == 20 and slow_may_end.set(),
    )

    assert [*small, SLOW] == _keys(outputs)
    assert "process-0" == threads[SLOW]


def test_with_more_concurrency_one_slow_call_holds_up_no_other() -> None:
    """Results come in completion order, carried by pulses."""
    others = [f"{number}.gz" for number in range(20)]

    *outputs, _ = outputs_of(
        _step(concurrency=2),
        [_in_memory(SLOW), *map(_in_memory, others)],
        outputs=21,
        on_output=lambda outputs: outputs == 20 and slow_may_end.set(),
    )

    assert SLOW == _keys(outputs)[-1]
    assert sorted([SLOW, *others]) == sorted(_keys(outputs))
    assert {"process-0", "process-1"} == set(threads.values())
