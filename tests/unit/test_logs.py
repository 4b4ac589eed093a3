"""One line an event, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.logs import LIBRARIES, JsonFormatter, TextFormatter, configure, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OURS = (TextFormatter, JsonFormatter)
CREATED = 1795522920.1234  # 2026-11-24T12:22:00.123Z


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """What `configure` changed is as it was afterwards."""
    root = logging.getLogger()
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, LIBRARIES))}
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    yield
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)
    root.handlers[:] = [handler for handler in root.handlers if not isinstance(handler.formatter, OURS)]
    for logger, level in levels.items():
        logger.setLevel(level)


def _record(
    message: str,
    *,
    name: str = "transforms.pollers",
    level: int = logging.INFO,
    error: Exception | None = None,
    fields: Mapping[str, object] | None = None,
) -> logging.LogRecord:
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, level, __file__, 1, message, (), exc_info)
    record.created = CREATED
    record.__dict__.update({"fields": fields} if fields else {})
    return record


def _raised(error: Exception) -> Exception:
    try:
        raise error
    except type(error) as raised:
        return raised


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was logged, without its time."""
    return [line.partition(" ")[2] for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_time_level_and_message() -> None:
    """Levels are one column wide."""
    text = TextFormatter()

    assert "2026-11-24T12:22:00.123Z INFO  received 10 messages" == text.format(_record("received 10 messages"))
    assert "2026-11-24T12:22:00.123Z WARN  hm" == text.format(_record("hm", level=logging.WARNING))


def test_a_line_of_a_library_says_whose_it_is() -> None:
    """Ours need not."""
    assert TextFormatter().format(_record("Retry", name="urllib3.pool")).endswith("INFO  urllib3.pool: Retry")


def test_nobody_forges_a_line_or_speaks_to_the_terminal() -> None:
    """Keys may hold anything: line ends, escapes, what turns the direction of writing, halves of characters."""
    line = TextFormatter().format(_record("fetched s3://b/a\n2026 FATAL no\x1b[2J\u202e\u2028\ud800é"))

    assert line.endswith(r"fetched s3://b/a\n2026 FATAL no\x1b[2J\u202e\u2028\ud800é")


def test_a_traceback_is_indented_so_that_it_is_no_line() -> None:
    """An error's text may hold line ends, too."""
    lines = TextFormatter().format(_record("x", error=_raised(ValueError("a\n2026\x1b")))).splitlines()

    assert "2026-11-24T12:22:00.123Z INFO  x" == lines[0]
    assert [r"    ValueError: a", r"    2026\x1b"] == lines[-2:]
    assert all(line.startswith("    ") for line in lines[1:])


def test_json_is_one_object_a_line_with_the_fields_of_the_event() -> None:
    """A field cannot replace what the line is about."""
    record = _record("fetched\n\x9b", fields={"bucket": "b", "attempt": 2, "level": "FORGED"})

    line = JsonFormatter().format(record)

    assert line.isascii()
    assert line.isprintable()
    assert {
        "time": "2026-11-24T12:22:00.123Z",
        "level": "INFO",
        "logger": "transforms.pollers",
        "message": "fetched\n\x9b",
        "bucket": "b",
        "attempt": 2,
    } == json.loads(line)


def test_json_keeps_a_traceback_in_its_object() -> None:
    """One line still."""
    event = json.loads(JsonFormatter().format(_record("x", error=_raised(ValueError("no")))))

    assert event["traceback"].startswith("Traceback")
    assert event["traceback"].endswith("ValueError: no")


def test_what_was_configured_before_is_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """Importing Beam logs, and so configures."""
    logging.basicConfig(stream=io.StringIO())

    configure("INFO", "text")
    logging.getLogger("pipeline.job").info("started")
    logging.getLogger("pipeline.job").debug("details")

    assert ["INFO  started"] == _lines(capsys)


def test_libraries_say_what_goes_wrong_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """A real error is never kept back."""
    configure("INFO", "text")
    for library in LIBRARIES:
        logging.getLogger(library).info("chatter")
        logging.getLogger(f"{library}.part").error("trouble")

    assert [f"ERROR {library}.part: trouble" for library in LIBRARIES] == _lines(capsys)


def test_debug_lines_of_libraries_stay_out_of_a_debug_log(capsys: pytest.CaptureFixture[str]) -> None:
    """Those of botocore show session tokens."""
    configure("DEBUG", "text")
    logging.getLogger("botocore.endpoint").debug("X-Amz-Security-Token: secret")
    logging.getLogger("transforms.events").debug("fetched")

    assert ["DEBUG fetched"] == _lines(capsys)


def test_a_quieter_log_makes_libraries_quieter(capsys: pytest.CaptureFixture[str]) -> None:
    """`--log_level=ERROR` means everybody."""
    configure("ERROR", "text")
    logging.getLogger("botocore").warning("hm")

    assert "" == capsys.readouterr().err


def test_beams_warning_about_bigquery_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """It comes with every import, and says nothing about this job."""
    configure("INFO", "json")
    logging.getLogger().warning("apitools not found, and bigquery client libraries are not available")
    logging.getLogger().warning("something else")

    assert ["something else"] == [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()]


def test_text_that_is_printable_stays_as_it_is() -> None:
    """Other scripts are not suspicious."""
    assert "лог 日本 é" == printable("лог 日本 é")


def test_every_line_says_which_of_several_pipelines_it_is_of() -> None:
    """Also of a traceback: the lines of several processes mix."""
    record = _record("failed", error=_raised(ValueError("broken")))

    lines = TextFormatter("2").format(record).splitlines()

    assert len(lines) > 2
    assert all(line.startswith("[2] ") for line in lines)
    assert 2 == json.loads(JsonFormatter("2").format(record))["pipeline"]


def test_what_nobody_catches_is_logged_like_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    """A destructor's error, for one: what it says forges no line."""
    configure("INFO", "text")

    class Forger:
        def __del__(self) -> None:
            raise ValueError("x\n2026-11-24T12:00:00.000Z INFO  stopped")

    Forger()

    lines = capsys.readouterr().err.splitlines()
    assert "ERROR an error that nobody catches" == lines[0].partition(" ")[2]
    assert all(line.startswith("    ") for line in lines[1:])


def test_an_error_that_cannot_be_shown_is_logged_all_the_same() -> None:
    """A logging call never raises."""

    class CauselessError(Exception):
        @property
        def __cause__(self) -> BaseException | None:  # type: ignore[override]
            raise ValueError("no cause")

    record = _record("x", error=_raised(CauselessError("y")))

    assert "CauselessError: y" in TextFormatter().format(record)
    assert "CauselessError: y" in json.loads(JsonFormatter().format(record))["traceback"]
