"""A recording: messages and their objects in a directory, as a replay takes them.

    DIR/messages.jsonl           one message on a line, as `aws sqs receive-message` prints it
    DIR/objects/<bucket>/<key>   bytes as they are stored (`object_files.py` says where odd keys are)

A message is recorded only if each of its objects is here, or is gone in S3 as well: so what a replay finds is what the
job would have found.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from transforms.downloads import Download
from transforms.failures import ObjectGoneError, TooLargeError, UserError, WriteFailedError
from transforms.object_files import object_paths
from transforms.recorded_form import NotRecordableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from transforms.objects import Objects
    from transforms.queues import Message
    from transforms.records import ObjectRef

log = logging.getLogger(__name__)

MESSAGES = "messages.jsonl"
OBJECTS = "objects"
TEMPORARY = ".object.tmp"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Copied:
    """Which object stands at a place of the recording, and its file; None if it is gone in S3."""

    source: tuple[str, str, str | None]
    """Bucket, key and version; the reference itself would hold on to its message's body."""
    path: Path | None = None
    size: int = 0

    @classmethod
    def of(cls, ref: ObjectRef, path: Path | None = None, size: int = 0) -> _Copied:
        return cls((ref.bucket, ref.key, ref.version_id), path, size)

    def check_same(self, ref: ObjectRef) -> None:
        """Raise `NotRecordableError` unless `ref` is the same object and version."""
        if self.source != (ref.bucket, ref.key, ref.version_id):
            raise NotRecordableError(f"{ref.url}: its file in the recording holds another version, or another object")


class NewRecording:
    """One that begins. Not for several threads. Memory: the names of the objects, and a piece of one."""

    def __init__(self, directory: Path, *, max_object_bytes: int) -> None:
        """Make `directory`. Raises `UserError` unless it is new or empty, and can be written."""
        self._directory = directory
        self._max_object_bytes = max_object_bytes
        self._copied: dict[tuple[str, str], _Copied] = {}
        self.messages = 0
        """How many are recorded."""
        try:
            directory.mkdir(parents=True, exist_ok=True)
            if any(directory.iterdir()):
                raise UserError(f"--into is {directory}, which is not empty; name a new directory for each recording")
            self._lines = (directory / MESSAGES).open("xb", buffering=0)
        except OSError as error:
            raise UserError(f"--into is {directory}, which cannot be written: {error.strerror}") from error

    @property
    def sizes(self) -> list[int]:
        """How many bytes each recorded object has, as stored."""
        return [copied.size for copied in self._copied.values() if copied.path]

    @property
    def gone(self) -> int:
        """How many objects are gone in S3."""
        return len(self._copied) - len(self.sizes)

    def add(
        self,
        message: Message,
        pairs: Iterable[tuple[ObjectRef, ObjectRef]],
        objects: Objects,
        check: Callable[[], None],
    ) -> None:
        """Copy a message's objects, and then record it; all of it or nothing.

        `pairs` are references as they are in S3, and as the recorded message says them. `check` is called before each
        piece of an object and each resumption, and may raise. Raises a `RecordError`; here `WriteFailedError` is of the
        disk.
        """
        new: dict[tuple[str, str], _Copied] = {}
        try:
            for ref, told in pairs:
                name = (told.bucket, told.key)
                known = self._copied.get(name) or new.get(name)
                if known is None:
                    new[name] = self._copy(ref, told, objects, check)
                else:
                    known.check_same(ref)
            self._write(_line(message))
        except BaseException:
            for copied in new.values():
                if copied.path:
                    copied.path.unlink(missing_ok=True)
            raise
        self._copied |= new
        self.messages += 1

    def close(self) -> None:
        """End it. A directory in which nothing was recorded is left empty, for another try."""
        self._lines.close()
        if not self.messages:
            (self._directory / MESSAGES).unlink(missing_ok=True)
            shutil.rmtree(self._directory / OBJECTS, ignore_errors=True)

    def _copy(self, ref: ObjectRef, told: ObjectRef, objects: Objects, check: Callable[[], None]) -> _Copied:
        check()
        try:
            opened = objects.open(ref)
        except ObjectGoneError:
            log.warning("%s is gone in S3; its message is recorded without it", ref.url)
            return _Copied.of(ref)
        size, limit = opened.info.size, self._max_object_bytes
        if size > limit:
            raise TooLargeError(f"{ref.url}: --max_object_bytes is {limit:,}; the object has {size:,} bytes")
        download = Download(partial(_itself, objects), ref, opened.info.etag, partial(_pause, check))
        return self._save(ref, told, download.chunks(opened), check)

    def _save(self, ref: ObjectRef, told: ObjectRef, chunks: Iterable[bytes], check: Callable[[], None]) -> _Copied:
        temporary = self._directory / TEMPORARY
        size = 0
        try:
            with temporary.open("wb") as file:
                for chunk in chunks:
                    check()
                    size += file.write(chunk)
            path = self._path(told)
            temporary.replace(path)
        except OSError as error:
            raise WriteFailedError(f"{self._directory} cannot be written: {error.strerror}") from error
        finally:
            temporary.unlink(missing_ok=True)
        return _Copied.of(ref, path, size)

    def _path(self, told: ObjectRef) -> Path:
        """Answer the first place that can be made: keys may be `a` and `a/b`, files may not."""
        *readable, last = object_paths(self._directory / OBJECTS, told.bucket, told.key)
        for path in readable:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists():
                    return path
            except OSError:  # a file stands where a directory must be; or the path is too long
                continue
        last.parent.mkdir(parents=True, exist_ok=True)
        return last

    def _write(self, line: bytes) -> None:
        """Add a line, whole or not at all."""
        whole = self._lines.tell()
        try:
            while line:  # a disk that becomes full takes a part first
                line = line[self._lines.write(line) :]
        except OSError as error:
            self._lines.truncate(self._lines.seek(whole))
            raise WriteFailedError(f"{self._directory} cannot be written: {error.strerror}") from error


def _line(message: Message) -> bytes:
    """Write it as SQS answers it, without a receipt: ASCII, so that no body, however odd, is in the way."""
    attributes = {
        "SentTimestamp": str(round(message.sent_at.timestamp() * 1000)),
        "ApproximateReceiveCount": str(message.receive_count),
    }
    document = {"MessageId": message.message_id, "Body": message.body, "Attributes": attributes}
    return f"{json.dumps(document)}\n".encode("ascii")


def _pause(check: Callable[[], None], seconds: float) -> None:
    """Wait before a transfer that broke goes on, unless it is to end."""
    check()
    time.sleep(seconds)


def _itself(objects: T) -> T:
    return objects
