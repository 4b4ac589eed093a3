"""The benchmark's own logic: what it is asked, whose turn it is, its medians, its picture, and what it believes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from benchmarks.arguments import WORKLOADS, parse
from benchmarks.contenders import go_loop
from benchmarks.payloads import body_of, small_body
from benchmarks.picture import OURS, picture
from benchmarks.process_tree import look_at
from benchmarks.processes import ContenderError, Measured
from benchmarks.results import Results, in_directory
from benchmarks.tables import Medians, table
from benchmarks.trials import in_turn

SVG = "{http://www.w3.org/2000/svg}"
RIGHT = b'{"line_count": 2, "byte_size": 10, "source": {}}'


def _measured(busy_s: float = 1, cpu_s: float = 1, memory_mb: float = 50) -> Measured:
    return Measured(busy_s, cpu_s, cpu_s + 1, memory_mb, 2 * memory_mb, stand_in_cpu_s=0.1)


def _row(per_s: float, cpu_ms: float) -> Medians:
    return Medians(per_s, cpu_ms, cpu_ms, largest_mb=50, together_mb=60, stand_in_cpu_ms=0.1)


# ── what it is asked


def test_without_arguments_every_workload_runs_three_rounds() -> None:
    """One command, one set of tables."""
    arguments = parse([])

    assert (WORKLOADS, 20_000, 3) == (arguments.only, arguments.objects, arguments.rounds)


def test_fewer_objects_are_fewer_in_every_workload_of_small_ones() -> None:
    """So that a quick run is quick."""
    arguments = parse(["--objects=1000"])

    assert (250, (50, 500, 5000)) == (arguments.objects_of_output, arguments.scale)


def test_the_amounts_of_the_scale_runs_may_be_named() -> None:
    """Underscores as in Python."""
    assert (1000, 100_000) == parse(["--scale=1000,100_000"]).scale


def test_workloads_run_in_their_own_order_whatever_the_order_asked() -> None:
    """The limit of the small objects is known before the others are compared with it."""
    assert ("small", "latency") == parse(["--only=latency,small"]).only


@pytest.mark.parametrize(
    "refused", ["--only=small,tiny", "--objects=0", "--rounds=x", "--scale=10,-1", "--only=large --picture=p.svg"]
)
def test_what_makes_no_sense_is_refused(refused: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is measured."""
    with pytest.raises(SystemExit) as ended:
        parse(refused.split())

    assert 2 == ended.value.code
    assert refused.rpartition("--")[2].partition("=")[0] in capsys.readouterr().err


# ── whose turn it is


def test_rounds_alternate_so_that_nobody_is_always_first() -> None:
    """A machine that slows down slows all of them."""
    turns: list[str] = []
    trials = {name: (lambda name=name: turns.append(name) or _measured()) for name in ("a", "b", "c")}

    runs = in_turn(trials, 3)

    assert list("abccbaabc") == turns
    assert {"a": 3, "b": 3, "c": 3} == {name: len(each) for name, each in runs.items()}


def test_one_that_fails_is_named() -> None:
    """And nothing is made of the others."""

    def fail() -> Measured:
        raise ContenderError("exit code 1")

    with pytest.raises(ContenderError, match="the loop failed: exit code 1"):
        in_turn({"the loop": fail}, 1)


def test_without_go_its_program_is_left_out_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other rows need no Go."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "Go is left out: there is no go command here." == go_loop(tmp_path)


# ── medians and tables


def test_medians_are_of_each_figure_by_itself_and_for_each_unit() -> None:
    """The round with the median time need not have the median CPU time."""
    runs = [_measured(1, 3, 40), _measured(4, 1, 60), _measured(2, 2, 50)]

    found = Medians.of(runs, 100)

    assert Medians(50, 20, 30, largest_mb=50, together_mb=100, stand_in_cpu_ms=1) == found


def test_the_table_says_which_part_of_the_limit_each_row_reaches() -> None:
    """Of its rate, and of how little CPU time it takes."""
    shown = table({"the job": _row(500, 2), "a | b": _row(1000, 1)}, limit=_row(1000, 1)).splitlines()

    assert "| the job | 500 | 50 % | 2.00 | 50 % | 2.00 | 50 | 60 | 0.10 |" == shown[2]
    assert r"| a \| b | 1,000 | 100 % | 1.00 | 100 % | 1.00 | 50 | 60 | 0.10 |" == shown[3]


def test_where_the_limit_was_not_measured_its_columns_are_empty() -> None:
    """A share of another run's would mean nothing."""
    assert "|  | 2.00 |  |" in table({"the job": _row(500, 2)}).splitlines()[2]


# ── the picture


def test_bars_are_as_long_as_their_figures() -> None:
    """The largest of a panel takes all the room."""
    drawn = ET.fromstring(picture({"job": _row(500, 2), "loop": _row(1000, 8)}, ours="job", caption=""))  # noqa: S314 - our own
    widths = [float(bar.attrib["width"]) for bar in drawn.iter(f"{SVG}rect")]

    assert [0.25, 1, 0.5, 1] == [width / max(widths) for width in widths]


def test_only_our_own_bars_have_the_colour() -> None:
    """One in each panel."""
    drawn = ET.fromstring(picture({"job": _row(1, 2), "loop": _row(3, 4)}, ours="job", caption=""))  # noqa: S314 - our own

    assert [True, False, True, False] == [bar.attrib["fill"] == OURS for bar in drawn.iter(f"{SVG}rect")]


def test_names_with_markup_stay_text() -> None:
    """In the bars' labels, the title and the caption."""
    drawn = ET.fromstring(picture({"<b> & co": _row(1, 2)}, ours="", caption="a < b & c"))  # noqa: S314 - our own
    texts = [text.text for text in drawn.iter(f"{SVG}text")]

    assert 2 == texts.count("<b> & co")
    assert "a < b & c" == texts[-1]
    assert "<b> & co 2.00" in (drawn.findtext(f"{SVG}title") or "")


# ── what it believes


def test_a_result_counts_once_and_only_if_it_is_right() -> None:
    """Probes and temporary files are no results; a probe that was deleted is gone."""
    results = Results((2, 10))
    for name, document in (("a.json", RIGHT), ("a.json", RIGHT), ("b.json", b"{}"), ("c.json", b"["), ("_probe", b"")):
        results.put(name.encode(), document)
    results.delete(b"_probe")

    assert (3, 2, False) == (results.stored, results.wrong, results.has(b"_probe"))


def test_results_are_found_wherever_a_contender_stores_them(tmp_path: Path) -> None:
    """The job makes directories, the loops make none."""
    (tmp_path / "deep").mkdir()
    for name in ("a.json", "deep/b.json", "deep/c.json.tmp"):
        (tmp_path / name).write_bytes(RIGHT)

    results = in_directory(tmp_path, (2, 10))

    assert (2, 0) == (results.stored, results.wrong)


def test_a_large_object_is_read_in_pieces_that_make_its_members() -> None:
    """As large as asked at least; a range of it may begin anywhere."""
    body = body_of(9_000_000)

    assert 16_000_000 == body.counts[1]
    assert body.member * 2 == b"".join(body.read(0, body.size))
    assert (body.member * 2)[1000:-1000] == b"".join(body.read(1000, body.size - 1000))
    assert small_body() is body_of(0)


def test_the_go_program_names_modules_and_no_place_to_fetch_them_from() -> None:
    """Whoever builds it has a proxy of their own, or none."""
    folder = Path(__file__).parents[2] / "benchmarks" / "go_loop"
    text = (folder / "go.mod").read_text() + (folder / "go.sum").read_text()

    assert [] == re.findall(r"\S*://\S*|^replace.*", text, re.MULTILINE)


# ── what a process takes


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_a_tree_is_a_process_with_its_descendants_until_it_has_ended() -> None:
    """An ended process that nobody has waited for is no tree: its memory is gone."""
    nested = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    process = subprocess.Popen([sys.executable, "-c", nested], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    process.stdout.readline()  # the child of the child is there

    alive = look_at(process.pid)
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    ended = look_at(process.pid)
    process.wait()
    process.stdout.close()

    assert alive
    assert alive.resident_mb > alive.peak_mb > 0, alive
    assert ended is None
    assert look_at(process.pid) is None
