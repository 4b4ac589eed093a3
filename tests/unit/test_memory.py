"""Memory is a function of the options."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.memory import available_bytes, peak_bytes
from pipeline.options import Settings
from tests.builders import QUEUE_URL
from transforms.settings import MIB, FetchSettings, LeaseSettings, ProcessSettings, ReceiveSettings

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = Settings(ReceiveSettings(QUEUE_URL))


def test_the_peak_is_the_sum_of_what_the_options_allow() -> None:
    """The program, contents, two copies of the longest line for each thread, and messages."""
    assert (160 + 32 + 2 * 256 * 1 + 200) * MIB == peak_bytes(DEFAULTS)


def test_each_limit_counts() -> None:
    """So lowering it helps."""
    settings = replace(
        DEFAULTS,
        leases=LeaseSettings(max_in_flight=10),
        fetch=FetchSettings(max_read_bytes=8 * MIB, in_memory_bytes=200 * MIB),
        process=ProcessSettings(concurrency=4),
    )

    assert (160 + 2 * 200 + 2 * 8 * 4 + 10) * MIB == peak_bytes(settings)


def test_a_container_has_what_it_may_use(tmp_path: Path) -> None:
    """Not what its machine has."""
    limit, unlimited = tmp_path / "memory.max", tmp_path / "other"
    limit.write_text("1048576\n")
    unlimited.write_text("max\n")

    assert MIB == available_bytes((limit, unlimited, tmp_path / "missing"))
    assert available_bytes((unlimited,)) > MIB
