"""What every test starts from: a process that has done nothing yet."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from transforms import process_wide
from transforms.events import EVENTS
from transforms.stopping import JOB_IS_ELSEWHERE, STOP

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator


def pytest_configure() -> None:
    """Let what tests start hear SIGINT, also where a shell started pytest deaf to it, as one does behind an `&`."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _fresh_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """End what a test left running; forget what it counted, and the modules that it wrote: names come again."""
    before, written = set(sys.modules), f"{tmp_path_factory.getbasetemp()}{os.sep}"
    yield
    for name in sys.modules.keys() - before:
        if str(getattr(sys.modules[name], "__dict__", {}).get("__file__")).startswith(written):  # a lazy one stays so
            del sys.modules[name]
    process_wide.close_all()
    STOP.clear()
    JOB_IS_ELSEWHERE.clear()
    EVENTS.reset()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, object, object]:
    """Escape what has no UTF-8 in a report on its way to the process of pytest that prints it: tests log odd keys."""
    return _in_utf8((yield))


def _in_utf8(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _in_utf8(each) for name, each in value.items()}
    return [_in_utf8(each) for each in value] if isinstance(value, list | tuple) else value
