"""What every test starts from: a process that has done nothing yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from transforms import process_wide
from transforms.events import EVENTS
from transforms.stopping import JOB_IS_ELSEWHERE, STOP

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """End what a test left running and forget what it counted."""
    yield
    process_wide.close_all()
    STOP.clear()
    JOB_IS_ELSEWHERE.clear()
    EVENTS.reset()
