"""Recorded messages: JSON Lines, one message each as `aws sqs receive-message` prints it, or only its body.

    {"MessageId": "…", "Body": "…", "Attributes": {"SentTimestamp": "1768467600000"}}      all but Body may be missing
    {"Messages": [{"Body": "…"}, …]}                                                       a whole answer
    {"Records": [{"eventVersion": "2.1", …}]}                                              a body, or any other text

What is no message is a body, and has the fate that it would have had in a queue.
"""

from __future__ import annotations

import glob
import json
import logging
from collections import deque
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import UUID

from transforms.failures import QueueError, UserError
from transforms.queues import Message

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

log = logging.getLogger(__name__)

MAX_LINE_BYTES = 8 * 1024 * 1024
"""SQS answers a MiB at most; written as JSON it may have six times as many bytes."""
MAX_BODY_BYTES = 1024 * 1024
"""What is kept of a longer line, which cannot come from a queue."""
READ_BYTES = 256 * 1024
"""Read at a time."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a message was sent that does not say."""
_AGAIN = "-again-"
"""Between a repeated id and the number of its message."""
_BOM = b"\xef\xbb\xbf"
_NO_TEXT = (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")
"""How gzip begins, and UTF-16: each line would be a message that nobody can read."""


class Recordings:
    """The messages of some files, in their order; an iterator for `FiniteQueue`.

    Ids are distinct, and the same in every run: a missing one is made of the body, and one that comes again, or that
    looks like one made here, ends in its message's number.
    Memory: `READ_BYTES` of lines, or one line of up to `MAX_LINE_BYTES`, and about 100 bytes for each id.
    """

    def __init__(self, pattern: str) -> None:
        """`pattern` is a path in which `*`, `?`, `[…]` and `**` stand for more. Raises `UserError`: nothing to read."""
        self._files = deque(_find(pattern))
        self._offset = 0
        self._number = 0
        self._seen: set[bytes] = set()
        self._messages: deque[Message] = deque()

    def __iter__(self) -> Iterator[Message]:
        """Answer itself."""
        return self

    def __next__(self) -> Message:
        """Answer the next message. Raises `QueueError` if its file cannot be read now; the next call reads it again."""
        while not self._messages:
            if not self._files:
                raise StopIteration
            lines = self._read()
            self._messages.extend(self._message(*recorded) for line in lines for recorded in _recorded(line))
        return self._messages.popleft()

    def _read(self) -> list[str]:
        """Read some lines from where the last call ended, and keep no file open in between."""
        path, lines, size = self._files[0], [], 0
        try:
            with path.open("rb") as file:
                file.seek(self._offset)
                while size < READ_BYTES and (line := file.readline(MAX_LINE_BYTES)):
                    size += len(line)
                    if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
                        line = _cut(line, file, path)
                    lines.append(line)
                offset = file.tell()
        except OSError as error:
            raise QueueError(f"cannot read {path}: {error.strerror or error}") from error
        if not self._offset and lines:
            lines[0] = lines[0].removeprefix(_BOM)
        self._offset = offset
        if not lines:
            self._files.popleft()
            self._offset = 0
        texts = (line.decode(errors="surrogateescape").strip("\r\n") for line in lines)
        return [text for text in texts if text.strip()]

    def _message(self, recorded_id: str, body: str, sent_at: datetime) -> Message:
        self._number += 1
        message_id = recorded_id or str(UUID(bytes=_digest(body, 16)))
        digest = _digest(message_id, 8)
        if digest in self._seen or _AGAIN in message_id:
            message_id = f"{message_id}{_AGAIN}{self._number}"
        self._seen.add(digest)
        return Message(message_id, "", body, 0, sent_at)


def _cut(line: bytes, file: IO[bytes], path: Path) -> bytes:
    log.warning("%s has a line over %d bytes, which no queue takes; its beginning is a message", path, MAX_LINE_BYTES)
    while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
        pass
    return line[:MAX_BODY_BYTES]


def _find(pattern: str) -> Sequence[Path]:
    """Answer the files by name, each of which can be read and is JSON Lines as far as its beginning tells."""
    expanded = Path(pattern).expanduser()
    names = [str(expanded)] if expanded.is_file() else sorted(glob.glob(str(expanded), recursive=True))  # noqa: PTH207 - absolute patterns, too
    files = [Path(name) for name in names if Path(name).is_file()]
    if not files:
        raise UserError(f"--replay is {pattern}, and there is no such file; is the job started in the right directory?")
    for path in files:
        try:
            with path.open("rb") as file:
                first = file.readline(MAX_LINE_BYTES)
        except OSError as error:
            raise UserError(f"--replay is {pattern}, and {path} cannot be read: {error.strerror or error}") from error
        if first.startswith(_NO_TEXT):
            raise UserError(
                f"--replay is {pattern}, and {path} is compressed or not UTF-8; gunzip or iconv makes it JSON Lines"
            )
        if first.removeprefix(_BOM).strip() in {b"{", b"["}:
            raise UserError(
                f"--replay is {pattern}, and {path} has JSON over several lines; one line is one message: "
                f"jq -c '.Messages[]' {path}"
            )
    return files


def _recorded(line: str) -> list[tuple[str, str, datetime]]:
    """Answer the id (empty if there is none), the body and the time of each message of a line."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        value = None
    answer = value.get("Messages") if isinstance(value, dict) else None
    messages = answer if isinstance(answer, list) else [value]
    if not all(isinstance(each, dict) and isinstance(each.get("Body"), str) for each in messages):
        return [("", line, _NEVER)]
    return [(_id(each.get("MessageId")), each["Body"], _sent_at(each.get("Attributes"))) for each in messages]


def _id(value: object) -> str:
    return value if isinstance(value, str) else ""


def _sent_at(attributes: Any) -> datetime:  # noqa: ANN401 - whatever somebody wrote there
    try:
        return datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC)
    except (LookupError, TypeError, ValueError, OverflowError, OSError):
        return _NEVER


def _digest(text: str, size: int) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()
