"""The log: one readable line for each event, on standard error; or one JSON object, for machines.

Keys, error texts and messages come from others: what is not printable is escaped, so that nobody forges a line or
speaks to the terminal.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from transforms.error_text import traceback_text

if TYPE_CHECKING:
    from types import TracebackType

log = logging.getLogger(__name__)

LIBRARIES = ("apache_beam", "boto3", "botocore", "google", "grpc", "s3transfer", "urllib3")
OURS = ("__main__", "pipeline", "sqs_pipeline", "transforms")

_HARMLESS = (
    "apitools not found",  # Beam when it is imported: about BigQuery
)
_SHORT = {"WARNING": "WARN", "CRITICAL": "FATAL"}


def configure(level: str, log_format: str, *, pipeline: str = "") -> None:
    """Log lines from `level` on to standard error, as `text` or `json`, whatever was configured before.

    `pipeline` is told in every line, where there are several.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(pipeline) if log_format == "json" else TextFormatter(pipeline))
    handler.addFilter(_matters)
    # Importing Beam logs, and whoever logs first configures: hence `force`.
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # INFO at most: boto's DEBUG lines show session tokens, and Beam's would drown ours.
    least = logging.INFO if level == "DEBUG" else logging.WARNING
    for library in LIBRARIES:
        logging.getLogger(library).setLevel(max(least, logging.getLevelName(level)))
    # What nobody catches is told here too: Python would write it as it is, lines and escapes of the user's included.
    sys.excepthook = _tell_uncaught
    threading.excepthook = lambda error: _tell_uncaught(error.exc_type, error.exc_value, error.exc_traceback)
    sys.unraisablehook = lambda error: _tell_uncaught(error.exc_type, error.exc_value, error.exc_traceback)


class TextFormatter(logging.Formatter):
    """`2026-11-24T12:00:00.123Z INFO  received 10 messages`; tracebacks follow, indented. `[2] ` is pipeline 2's."""

    def __init__(self, pipeline: str = "") -> None:
        """`pipeline` begins every line, also of tracebacks, since those of several processes mix."""
        super().__init__()
        self._prefix = f"[{pipeline}] " if pipeline else ""

    def format(self, record: logging.LogRecord) -> str:
        """Write one event."""
        level = _SHORT.get(record.levelname, record.levelname)
        origin = "" if record.name.partition(".")[0] in OURS else f"{record.name}: "
        line = f"{self._prefix}{_time(record)} {level:<5} {printable(origin + record.getMessage())}"
        if not record.exc_info or record.exc_info[1] is None:
            return line
        trace = traceback_text(record.exc_info[1]).splitlines()
        return f"\n{self._prefix}    ".join((line, *map(printable, trace)))


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, what `extra={"fields": {…}}` has, and a traceback if any.

    `pipeline` is a field, too, where there are several.
    """

    def __init__(self, pipeline: str = "") -> None:
        """`pipeline` names this process among several."""
        super().__init__()
        self._pipeline = {"pipeline": int(pipeline)} if pipeline else {}

    def format(self, record: logging.LogRecord) -> str:
        """Write one event; JSON's own escapes keep it on one line."""
        event: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        event |= self._pipeline
        event |= {name: value for name, value in getattr(record, "fields", {}).items() if name not in event}
        if record.exc_info and record.exc_info[1] is not None:
            event["traceback"] = traceback_text(record.exc_info[1]).rstrip("\n")
        return json.dumps(event, default=str)


def printable(text: str) -> str:
    """Escape everything that is not a printable character, line ends too."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _tell_uncaught(
    _class: type[BaseException], error: BaseException | None, _traceback: TracebackType | None = None
) -> None:
    log.error("an error that nobody catches", exc_info=error)


def _matters(record: logging.LogRecord) -> bool:
    return record.name != "root" or not record.getMessage().startswith(_HARMLESS)
