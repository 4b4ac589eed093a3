"""Results in a directory: written beside their place under a temporary name, then renamed into it."""

from __future__ import annotations

import errno
import itertools
import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from transforms.failures import WriteFailedError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PERMANENT = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG}
)
"""Only a person can change these; a full disk is emptied, a network drive comes back."""
_PIECE_BYTES = 1024 * 1024
"""Of a file, copied at a time."""
_MAX_REMEMBERED = 10_000
"""Folders that are known to be safe; keys make as many as they like."""


class DirectoryStore:
    """Implements `stores.Store`. What a process leaves behind when it dies while it writes ends in `.tmp`."""

    is_remote = False

    def __init__(self, directory: Path, *, fsync: bool = False) -> None:
        """`directory` is made when something is stored; `fsync` makes what is stored safe from a power loss."""
        self._directory = str(directory)
        self._fsync = fsync
        self._writer = secrets.token_hex(6)
        self._writes = itertools.count()
        self._safe_folders: set[str] = set()

    def put(self, name: str, document: bytes) -> None:
        """Store `document` in one rename."""
        self._put(name, document)

    def put_file(self, name: str, file: IO[bytes]) -> None:
        """Store all of `file` in one rename."""
        self._put(name, file)

    def exists(self, name: str) -> bool:
        """Whether `name` is stored."""
        path = self._path(name)
        with _failing_as("look for", path):
            try:
                os.stat(path)  # noqa: PTH116 - a Path costs more than the call
            except FileNotFoundError:
                return False
            return True

    def get(self, name: str) -> bytes:
        """Read `name` whole."""
        path = self._path(name)
        with _failing_as("read", path):
            return Path(path).read_bytes()

    def delete(self, name: str) -> None:
        """Remove `name`, if it is there."""
        path = self._path(name)
        with _failing_as("delete", path):
            Path(path).unlink(missing_ok=True)

    def names(self) -> Iterator[str]:
        """List every name that ends in `.json`."""
        with _failing_as("list", self._directory):
            for folder, _, files in os.walk(self._directory, onerror=_raise_unless_gone):
                for file in files:
                    if file.endswith(".json"):
                        yield os.path.relpath(f"{folder}/{file}", self._directory).replace(os.sep, "/")

    def _put(self, name: str, content: bytes | IO[bytes]) -> None:
        path = self._path(name)
        folder = path.rpartition("/")[0]
        # The process id, since a fork copies the rest; the name is short, since the result's may be as long as allowed.
        temporary = f"{folder}/.{self._writer}-{os.getpid()}-{next(self._writes)}.tmp"
        with _failing_as("write", path):
            try:
                self._write(temporary, content)
            except FileNotFoundError:  # the folder is new, or somebody removed it
                self._safe_folders.discard(folder)
                Path(folder).mkdir(parents=True, exist_ok=True)
                self._write(temporary, content)
            _rename(temporary, path)
            if self._fsync:
                self._make_safe(folder)

    def _path(self, name: str) -> str:
        return f"{self._directory}/{name}"

    def _write(self, path: str, content: bytes | IO[bytes]) -> None:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            if isinstance(content, bytes):
                _write_all(file, content)
            else:
                content.seek(0)
                while piece := content.read(_PIECE_BYTES):
                    _write_all(file, piece)
            if self._fsync:
                os.fsync(file)
        except BaseException:
            _remove(path)
            raise
        finally:
            os.close(file)

    def _make_safe(self, folder: str) -> None:
        """See to it that a power loss forgets neither what is in `folder` nor `folder` itself."""
        _sync_folder(folder)
        if folder in self._safe_folders:
            return
        with suppress(PermissionError):  # of a folder that is not ours, so neither made by us
            for parent in Path(folder).parents:
                _sync_folder(str(parent))
        if len(self._safe_folders) >= _MAX_REMEMBERED:
            self._safe_folders.clear()
        self._safe_folders.add(folder)


@contextmanager
def _failing_as(action: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        failed = WriteFailedError(f"cannot {action} {path}: {error.strerror or error}")
        failed.permanent = error.errno in _PERMANENT
        raise failed from error


def _write_all(file: int, document: bytes) -> None:
    rest = memoryview(document)
    while rest:
        rest = rest[os.write(file, rest) :]


def _rename(temporary: str, path: str) -> None:
    try:
        os.replace(temporary, path)  # noqa: PTH105 - as above
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - as above


def _sync_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
