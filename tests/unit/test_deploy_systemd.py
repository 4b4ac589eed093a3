"""deploy/systemd: the unit by systemd's own tools where they are, and against the job's own rules everywhere."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.memory import peak_bytes
from tests.deployments import DEPLOY, has_time_to_stop, the_settings, variables_in
from tests.shell import run_program
from transforms.settings import MIB

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.options import Settings

SYSTEMD = DEPLOY / "systemd"
UNIT = SYSTEMD / "sqs-pipeline.service"
PYTHON = "/opt/sqs-pipeline/bin/python"
MOST_EXPOSED = 20
"""Of `systemd-analyze security`, in tenths: 0 is safe, and a unit without restrictions has 96."""

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


def _values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)


def _value(key: str) -> str:
    (only,) = _values(key)
    return only


def _settings() -> Settings:
    program, *args = shlex.split(_value("ExecStart"))

    assert [PYTHON, "-m", "pipeline"] == [program, *args[:2]]

    return the_settings(args[2:], variables_in(SYSTEMD / "settings.env"))


def _analyze(directory: Path, *arguments: str) -> None:
    """Ask systemd about the unit, with a Python that is there; what it says is shown if it finds something."""
    unit = directory / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace(PYTHON, sys.executable), encoding="utf-8")
    done = run_program(["systemd-analyze", *arguments, str(unit)])

    assert 0 == done.returncode, done.stdout
    assert "Unknown" not in done.stdout


@needs_systemd
def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    """As it would load it."""
    _analyze(tmp_path, "verify")


@needs_systemd
def test_systemd_finds_the_unit_little_exposed(tmp_path: Path) -> None:
    """By its own measure; what remains is that it speaks to the network."""
    _analyze(tmp_path, "security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager")


def test_the_command_and_the_settings_are_options_of_the_job() -> None:
    """A misspelt one would be refused, or go to Beam."""
    settings = _settings()

    assert settings.receive.queue_url.startswith("https://")
    assert settings.run.metrics_port


def test_the_unit_has_time_to_stop() -> None:
    """One signal, to the supervisor; systemd kills what is left."""
    assert has_time_to_stop(int(_value("TimeoutStopSec")), _settings())
    assert "mixed" == _value("KillMode")


def test_the_unit_is_started_again_unless_a_person_must_mend_it() -> None:
    """2 is the exit code for that."""
    assert ("always", "2", "0") == tuple(
        _value(key) for key in ("Restart", "RestartPreventExitStatus", "StartLimitIntervalSec")
    )


def test_the_unit_has_the_memory_that_the_options_allow_at_worst() -> None:
    """The supervisor needs little beside it."""
    assert int(_value("MemoryMax").removesuffix("G")) * 1024 * MIB > peak_bytes(_settings())


def test_results_in_a_directory_go_where_the_unit_may_write() -> None:
    """The file system is read-only beside it."""
    assert "strict" == _value("ProtectSystem")
    assert f"/var/lib/{_value('StateDirectory')}" == _value("WorkingDirectory")


def test_the_page_installs_what_the_unit_names() -> None:
    """Its settings, its interpreter and its directory for modules."""
    page = (SYSTEMD / "README.md").read_text(encoding="utf-8")

    for named in (_value("EnvironmentFile"), PYTHON.removesuffix("/bin/python"), *_values("Environment")):
        assert named.removeprefix("PYTHONPATH=") in page
