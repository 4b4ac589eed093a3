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
    """Not what its machine has. It sees its own group as the root."""
    (tmp_path / "memory.max").write_text(f"{MIB}\n")
    own = tmp_path / "own"
    own.write_text("0::/\n")

    assert MIB == available_bytes(tmp_path, own)


def test_a_service_has_the_least_that_it_and_the_groups_around_it_may_use(tmp_path: Path) -> None:
    """Under systemd, and in a container that sees the groups of its machine."""
    service = tmp_path / "system.slice" / "job.service"
    service.mkdir(parents=True)
    (service / "memory.max").write_text("max\n")
    (tmp_path / "system.slice" / "memory.max").write_text(f"{2 * MIB}\n")
    own = tmp_path / "own"
    own.write_text("0::/system.slice/job.service\n")

    assert 2 * MIB == available_bytes(tmp_path, own)


def test_the_first_version_of_control_groups_has_a_folder_for_memory(tmp_path: Path) -> None:
    """Older machines."""
    group = tmp_path / "memory" / "docker" / "4af0"
    group.mkdir(parents=True)
    (group / "memory.limit_in_bytes").write_text(f"{3 * MIB}\n")
    own = tmp_path / "own"
    own.write_text("5:cpu,cpuacct:/docker/4af0\n4:memory:/docker/4af0\n")

    assert 3 * MIB == available_bytes(tmp_path, own)


def test_without_limits_there_is_what_the_machine_has(tmp_path: Path) -> None:
    """Also where there are no control groups at all."""
    unlimited = available_bytes(tmp_path, tmp_path / "missing")

    (tmp_path / "memory.max").write_text("max\n")

    assert unlimited > MIB
    assert unlimited == available_bytes(tmp_path, tmp_path / "missing")
