"""Each example as `./run_local.sh --example NAME` runs it, once the environment is there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from catalogue import EXAMPLES

from tests.integration.conftest import need_postgres
from tests.shell import run_program

if TYPE_CHECKING:
    import subprocess

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart.py"


def _run(*options: str) -> subprocess.CompletedProcess[str]:
    return run_program([sys.executable, QUICKSTART, *options])


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"quickstart"}))  # the readme's test runs that one
def test_each_example_ends_with_everything_as_expected(tmp_path: Path, name: str) -> None:
    """Every result, every dead letter, what is in its database or at its API, and the empty queue; it says so."""
    if name == "to_postgres":
        need_postgres()

    done = _run("--example", name, "--output", str(tmp_path))

    assert 0 == done.returncode, done.stdout
    assert "\nAll as expected:" in done.stdout, done.stdout
    assert f"--processor=examples.{name}:" in done.stdout


def test_list_names_every_example() -> None:
    """A line each."""
    done = _run("--example", "list")

    assert 0 == done.returncode, done.stdout
    assert list(EXAMPLES) == [line.split()[0] for line in done.stdout.splitlines()]


def test_an_example_that_there_is_not_is_refused_with_the_names_of_those_there_are() -> None:
    """Exit code 2."""
    done = _run("--example", "to_oracle")

    assert 2 == done.returncode
    assert "to_oracle" in done.stdout
    assert "to_postgres" in done.stdout


def test_a_place_that_cannot_be_written_is_one_sentence() -> None:
    """Exit code 2."""
    done = _run("--output", "/dev/null/x")

    assert (2, "/dev/null/x cannot be written: Not a directory; name another one with --output.\n") == (
        done.returncode,
        done.stdout.lstrip("\n"),
    )
