"""A call that never returns: its object is settled, and the process ends whatever else goes wrong."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.builders import an_object_ref
from tests.by_hand import Waits
from transforms import processing_timeout
from transforms.failures import FailureKind
from transforms.processing_timeout import HUNG_EXIT_CODE, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from transforms.contents import Fetched
    from transforms.records import Failure

SLOW = "slow.gz"
JOIN_S = 10


class _Exited(BaseException):
    """In place of the end of the process."""


@pytest.fixture
def codes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the codes with which the process would have ended, at the second 1,000."""
    left: list[int] = []

    def leave(code: int) -> NoReturn:
        left.append(code)
        raise _Exited

    monkeypatch.setattr(processing_timeout, "os", SimpleNamespace(_exit=leave))
    monkeypatch.setattr(processing_timeout, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    monkeypatch.setattr(processing_timeout.logging, "shutdown", lambda: None)
    return left


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Let go of what a test holds up."""
    event = threading.Event()
    yield event
    event.set()


def _watch(last_word: Callable[[Sequence[Failure]], None], *, started_s_ago: float = 61.0, thread: int = 2) -> Watch:
    """A watch over two calls, the second one slow, that looks once and is closed at its second look."""
    watch = object.__new__(Watch)
    watch._limit_s = 60
    watch._last_word = last_word
    watch._running = {1: (an_object_ref(), 999.0), thread: (an_object_ref(key=SLOW), 1000 - started_s_ago)}
    watch._closed = Waits(in_vain=lambda: len(watch._closed.timeouts_s) > 1 and watch.close())
    return watch


def hang(content: Fetched) -> NoReturn:
    """Never return."""
    threading.Event().wait()
    raise AssertionError


def test_a_function_that_hangs_ends_the_worker_and_the_log_says_at_which_object() -> None:
    """A thread cannot be killed; whoever supervises the worker starts another."""
    program = f"""
from tests.builders import an_object_ref
from transforms.contents import Fetched
from transforms.processing import Processor
from transforms.settings import ProcessSettings

def last_word(hung):
    print(*((failure.ref.url, failure.kind, failure.traceback) for failure in hung), flush=True)

processor = Processor(ProcessSettings(processor="{__name__}:hang", max_processing_s=0), last_word)
processor.process(Fetched(an_object_ref(), b"", size=0))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert HUNG_EXIT_CODE == ended.returncode
    assert f"the processor is at {an_object_ref().url} for over 0 s (--max_processing_s)" in ended.stderr
    assert an_object_ref().url in ended.stdout
    assert "in hang" in ended.stdout


@pytest.mark.parametrize(("started_s_ago", "ends"), [(59.0, False), (61.0, True)])
def test_a_worker_ends_only_when_one_call_lasts_too_long(codes: list[int], *, started_s_ago: float, ends: bool) -> None:
    """However many there were before; the same as above in this process, with time in the test's hand."""
    said: list[Failure] = []

    with pytest.raises(_Exited) if ends else contextlib.nullcontext():
        _watch(said.extend, started_s_ago=started_s_ago)._run()

    assert [HUNG_EXIT_CODE] * ends == codes
    assert [SLOW] * ends == [failure.ref.key for failure in said if failure.ref]


@pytest.mark.usefixtures("codes")
def test_what_hangs_is_the_functions_failure_and_says_where_it_hangs() -> None:
    """As if it had raised there; a thread that has ended meanwhile has no place."""
    said: list[Failure] = []
    for thread in (threading.get_ident(), 2):
        with pytest.raises(_Exited):
            _watch(said.extend, thread=thread)._run()
    here, nowhere = said

    assert (FailureKind.PROCESSOR_ERROR, "TimeoutError") == (here.kind, here.exception_class)
    assert "did not return within 60 s (--max_processing_s)" == here.detail
    assert "in test_what_hangs_is_the_functions_failure_and_says_where_it_hangs" in str(here.traceback)
    assert "in " not in str(nowhere.traceback)


def test_the_worker_ends_though_its_last_word_fails(codes: list[int], caplog: pytest.LogCaptureFixture) -> None:
    """The message comes back by itself."""

    def fail(_: Sequence[Failure]) -> None:
        raise OSError("no file left")

    with pytest.raises(_Exited):
        _watch(fail)._run()

    assert [HUNG_EXIT_CODE] == codes
    assert "what hangs could not be settled; it comes back by itself" in caplog.text


def test_the_worker_ends_though_its_last_word_never_does(
    codes: list[int], release: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQS or S3 may be down, or the hanging call hold a lock that is needed."""
    monkeypatch.setattr(processing_timeout, "LAST_WORD_S", 0.01)

    with pytest.raises(_Exited):
        _watch(lambda _: _wait(release))._run()

    assert [HUNG_EXIT_CODE] == codes
    assert not release.is_set()


def _wait(release: threading.Event) -> None:
    assert release.wait(JOIN_S)
