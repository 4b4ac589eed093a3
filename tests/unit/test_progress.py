"""What a person, and what a log, is told of a job that ends by itself."""

from __future__ import annotations

import io
import logging
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pipeline import progress, progress_bar
from pipeline.progress import Pace, Progress, duration, shown
from tests.command import until
from tests.fakes import FakeClock
from transforms.events import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@pytest.fixture(autouse=True)
def _all_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


# ── how far it is


@pytest.mark.parametrize(
    ("now", "line"),
    [
        (Progress(0, 0, is_complete=False), "0 done of 0 objects listed so far, 0/s"),
        (Progress(1200, 3400, is_complete=False, rate=99.6), "1,200 done of 3,400 objects listed so far, 100/s"),
        (
            Progress(1200, 4800, is_complete=True, rate=10),
            "1,200 done of 4,800 objects listed (25%), 10/s, 6 min 0 s left",
        ),
        (Progress(0, 10, is_complete=True), "0 done of 10 objects listed (0%), 0/s"),
        (Progress(0, 0, is_complete=True), "0 done of 0 objects listed, 0/s"),
        (Progress(7000, None, is_complete=False, rate=30, what="messages"), "7,000 messages done, 30/s"),
        (
            Progress(10, 20, is_complete=True, rate=1, what="messages or so"),
            "10 done of 20 messages or so (50%), 1/s, 10 s left",
        ),
    ],
)
def test_a_line_says_what_is_known(now: Progress, line: str) -> None:
    """The time left only when all is listed."""
    assert line == str(now)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599.6, "1 h 0 min"), (9e6, "2,500 h 0 min")],
)
def test_a_duration_has_its_two_largest_parts(seconds: float, text: str) -> None:
    """Nobody needs the seconds of a day."""
    assert text == duration(seconds)


class _Done:
    """A meter of which the counters say what is done."""

    name = "meter"

    def now(self, counts: Mapping[str, int]) -> Progress:
        return Progress(counts["done"], None, is_complete=False)

    def summary(self, counts: Mapping[str, int]) -> str:
        return f"{counts['done']} in all" if counts["done"] else ""


def test_the_rate_is_that_of_the_last_minute() -> None:
    """An hour of waiting before does not lower it."""
    clock = FakeClock()
    pace = Pace(_Done(), clock)
    rates = []
    for done in (0, 0, 60, 600, 600):
        EVENTS.count("done", done)
        clock.advance(60)
        rates.append(pace.look().rate)

    assert [0, 0, 1, 10, 10] == rates


def test_a_rate_needs_time() -> None:
    """At the first moment there is none."""
    EVENTS.count("done", 5)

    assert 0 == Pace(_Done(), FakeClock()).look().rate


# ── where it is told


def _told_by(monkeypatch: pytest.MonkeyPatch, *, log_format: str = "text", alone: bool = True) -> list[str]:
    """Answer how it is shown, where standard error is a terminal."""
    told: list[str] = []

    class _Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setattr(progress, "_draw", lambda name, pace, ended: told.append("bar"))
    monkeypatch.setattr(progress, "_tell", lambda name, pace, ended: told.append("lines"))
    with shown(_Done(), log_format=log_format, alone=alone):
        assert until(lambda: bool(told))
    return told


def test_a_person_sees_a_bar_and_everybody_else_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several processes would write over each other's bars."""
    monkeypatch.setenv("TERM", "xterm")
    assert ["bar"] == _told_by(monkeypatch)
    assert ["lines"] == _told_by(monkeypatch, alone=False)
    assert ["lines"] == _told_by(monkeypatch, log_format="json")
    monkeypatch.setenv("TERM", "dumb")
    assert ["lines"] == _told_by(monkeypatch)


def test_a_job_without_an_end_has_no_progress(caplog: pytest.LogCaptureFixture) -> None:
    """Nor has one whose workers are elsewhere: their counters are not here."""
    with shown(None, log_format="text"):
        pass

    assert [] == caplog.messages


def test_a_log_gets_a_line_now_and_then_and_the_sum_at_the_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With fields for machines."""
    monkeypatch.setattr(progress, "LINE_S", 0.01)
    EVENTS.count("done", 6)

    with shown(_Done(), log_format="json"):
        assert until(lambda: bool(caplog.messages))

    assert caplog.messages[0].startswith("meter: 6 objects listed done, ")
    fields = caplog.records[0].__dict__["fields"]
    assert (6, None, False, None) == tuple(fields[name] for name in ("done", "total", "total_is_complete", "left_s"))
    assert "meter: 6 in all" == caplog.messages[-1]


def test_where_there_is_nothing_to_sum_up_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """The job's own summary says the rest."""
    with shown(_Done(), log_format="text"):
        pass

    assert [] == caplog.messages


# ── the bar


@pytest.fixture
def draws(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Progress]], str]:
    """Draw these looks, one after the other, and answer what the terminal got."""

    class _Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(progress_bar, "LOOK_S", 0)

    def draw(looks: list[Progress]) -> str:
        terminal = _Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        handler = logging.StreamHandler(terminal)
        logging.getLogger().addHandler(handler)
        try:
            progress_bar.draw("backfill", looks.pop, _Ended(looks))  # type: ignore[arg-type]
            logging.getLogger().info("after")
        finally:
            logging.getLogger().removeHandler(handler)
        assert handler.stream is terminal
        return terminal.getvalue()

    return draw


class _Ended:
    """Set when all looks are drawn; each wait logs a line."""

    def __init__(self, looks: list[Progress]) -> None:
        self._looks = looks
        self.waits: Counter[str] = Counter()

    def wait(self, timeout_s: float) -> bool:
        logging.getLogger().info("a line [bold]as it is[/bold] %s", "x" * 300)
        return not self._looks


def test_the_bar_stands_below_the_log_and_says_what_the_lines_say(draws: Callable[[list[Progress]], str]) -> None:
    """Lines of the log stay whole, however long, and nothing in them is markup; a cursor is always there."""
    looks = [Progress(4, 4, is_complete=True, rate=2), Progress(1, 4, is_complete=False, rate=2)]
    drawn = draws(looks)

    assert "1 done of 4 objects listed so far, 2/s" in drawn
    assert "4 done of 4 objects listed (100%), 2/s, 0 s left" in drawn
    assert 3 == drawn.count(f"a line [bold]as it is[/bold] {'x' * 300}\n")
    assert drawn.endswith("after\n")
    assert drawn.count("\x1b[?25l") < drawn.count("\x1b[?25h")
