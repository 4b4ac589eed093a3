"""What was found, for people and for programs."""

from __future__ import annotations

import io
import json
import shlex

import pytest

from pipeline.check.findings import Level, command, ok, problem, span, wants_colour, warning, write_json, write_text

FOUND = [("queue", ok("there")), ("clock", warning("slow", "set it")), ("output", problem("no room"))]


def test_people_read_a_line_for_each_the_fix_below_it_and_how_many_there_are() -> None:
    """In columns."""
    out = io.StringIO()
    expected = """\
ok       queue           there
warning  clock           slow
                         fix: set it
problem  output          no room

1 ok, 1 warning, 1 problem
"""

    assert Level.PROBLEM == write_text(FOUND, out, colour=False)
    assert expected == out.getvalue()


def test_the_level_alone_is_coloured() -> None:
    """What is to be copied stays plain."""
    out = io.StringIO()

    write_text(FOUND[1:2], out, colour=True)

    assert out.getvalue().startswith("\x1b[33mwarning\x1b[0m  clock           slow\n")
    assert "\x1b" not in out.getvalue().partition("\n")[2]


def test_nothing_that_is_found_speaks_to_a_terminal() -> None:
    """Keys and answers are others'."""
    out = io.StringIO()

    write_text([("sample", problem("\x1b[2J", "a\nb"))], out, colour=False)

    assert "\\x1b[2J" in out.getvalue()
    assert "fix: a\\nb\n" in out.getvalue()


def test_programs_read_one_object() -> None:
    """With the exit code, since a pipe hides it."""
    out = io.StringIO()

    assert Level.PROBLEM == write_json(iter(FOUND), out)

    said = json.loads(out.getvalue())
    assert ("problem", 2) == (said["level"], said["exit_code"])
    assert {"check": "clock", "level": "warning", "found": "slow", "fix": "set it"} == said["findings"][1]


@pytest.mark.parametrize(
    ("count", "level", "code"), [(0, Level.OK, 0), (1, Level.OK, 0), (2, Level.WARNING, 1), (3, Level.PROBLEM, 2)]
)
def test_the_exit_code_is_that_of_the_worst(count: int, level: Level, code: int) -> None:
    """0 ok, 1 warnings, 2 problems."""
    assert level == write_json(FOUND[:count], io.StringIO())
    assert level == write_text(FOUND[:count], io.StringIO(), colour=False)
    assert code == level.exit_code


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_are_for_a_terminal_whose_user_did_not_forbid_them() -> None:
    """https://no-color.org: set and not empty."""
    assert wants_colour(_Terminal(), {"NO_COLOR": ""})
    assert not wants_colour(_Terminal(), {"NO_COLOR": "1"})
    assert not wants_colour(_Terminal(), {"TERM": "dumb"})
    assert not wants_colour(io.StringIO(), {})


def test_a_command_is_taken_by_a_shell_as_it_is() -> None:
    """Quotes and spaces in keys included."""
    words = ["s3", "cp", "s3://b/it's a key", "-"]

    assert ["aws", *words] == shlex.split(command(*words))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (150, "150 s"), (3600, "3,600 s"), (43200, "12 h"), (86400, "24 h"), (1209600, "14 days")],
)
def test_spans_are_in_the_largest_unit_that_fits(seconds: float, said: str) -> None:
    """For people."""
    assert said == span(seconds)
