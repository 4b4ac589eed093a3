"""How Prism is started and ended; that it works is for the integration tests."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import prism
from pipeline.prism import PrismRunner, check_location
from transforms.failures import UserError

if TYPE_CHECKING:
    from pathlib import Path


def test_its_process_has_a_group_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal sends Ctrl-C to all of the command's group, and what is in hand still needs Prism."""
    binary = tmp_path / "prism"
    binary.write_text('#!/bin/sh\ntest "$(ps -o pgid= -p $$ | tr -d " ")" = $$ && echo alone "$1"\n')
    ended: list[object] = []
    monkeypatch.setattr(prism.atexit, "register", ended.append)
    server = PrismRunner().default_job_server(PipelineOptions([f"--prism_location={binary}", "--job_port=8099"]))

    command, endpoint = server.subprocess_cmd_and_endpoint()

    assert "localhost:8099" == endpoint
    assert [sys.executable, str(binary)] == [command[0], command[3]]
    printed = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout
    assert "alone --job_port\n" == printed
    assert [server.stop] == ended


def test_only_a_path_of_nothing_is_refused(tmp_path: Path) -> None:
    """Beam knows what else it may be: a URL, or nothing for a download."""
    binary = tmp_path / "prism"
    binary.touch()
    for location in (None, "", str(binary), "https://beam.test/releases/tag/v2.77.0"):
        check_location(location)

    with pytest.raises(UserError) as refused:
        check_location(str(tmp_path))
    assert f"--prism_location is {tmp_path}, but there is no such file" in str(refused.value)
