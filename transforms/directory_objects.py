"""Source objects from files, `DIR/<bucket>/<key>`, as `object_files.py` names them: what a replay reads offline."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from transforms.failures import BrokenTransferError, ForbiddenError, ObjectGoneError, UnavailableError, UserError
from transforms.object_files import object_paths
from transforms.objects import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.failures import RecordError
    from transforms.records import ObjectRef

CHUNK_BYTES = 256 * 1024
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class DirectoryObjects:
    """Implements `objects.Objects`. Safe to call from several threads.

    An object's ETag is the one that its reference has, and else the MD5 of the file, as S3 has it for a simple upload.
    A file is every version of its object.
    """

    def __init__(self, directory: str) -> None:
        """Raises `UserError` if that is no directory."""
        root = Path(directory).expanduser()
        if not root.is_dir():
            raise UserError(f"--objects is {directory}, and there is no such directory; objects are DIR/<bucket>/<key>")
        self._root = root.resolve()

    def open(self, ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> _Opened:
        """Open `ref`; see `Objects.open`. What is no file inside of the directory is gone."""
        try:
            path, size = self._find(ref)
            etag = ref.etag or _md5(path)
        except OSError as error:
            raise _explained(error, ref.url) from error
        if if_match not in {None, etag}:
            raise ObjectGoneError(f"{ref.url} has the ETag {etag}; asked for was {if_match}")
        if offset > size:
            raise BrokenTransferError(f"{ref.url} has {size:,} bytes; asked for were those from {offset:,}")
        return _Opened(ref.url, ObjectInfo(etag, ref.version_id, size), path, offset)

    def _find(self, ref: ObjectRef) -> tuple[Path, int]:
        """Answer the file and its size in bytes."""
        for path in object_paths(self._root, ref.bucket, ref.key):
            real = Path(os.path.realpath(path))
            if not real.is_relative_to(self._root):
                raise ObjectGoneError(f"{ref.url}: its file is a link out of --objects, which is not followed")
            try:
                status = real.stat()
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise
            else:
                if stat.S_ISREG(status.st_mode):  # to open a pipe would wait for its writer
                    return real, status.st_size
        raise ObjectGoneError(f"{ref.url}: there is no such file under --objects")


class _Opened:
    """Implements `objects.OpenObject`. Opens its file when it is read, so that nothing stays open that is not."""

    def __init__(self, url: str, info: ObjectInfo, path: Path, offset: int) -> None:
        self.info = info
        self._url = url
        self._path = path
        self._offset = offset

    def chunks(self) -> Iterator[bytes]:
        left = self.info.size - self._offset
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                while chunk := file.read(min(CHUNK_BYTES, left + 1)):  # one byte more tells that it has grown
                    left -= len(chunk)
                    if left < 0:
                        break
                    yield chunk
        except OSError as error:
            raise _explained(error, self._url) from error
        if left:
            raise BrokenTransferError(f"{self._url}: the file does not have the {self.info.size:,} bytes any more")


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _explained(error: OSError, url: str) -> RecordError:
    """Say what is wrong without the path, which differs from machine to machine and would be in dead letters."""
    kinds = {errno.ENOENT: ObjectGoneError, errno.EACCES: ForbiddenError, errno.EPERM: ForbiddenError}
    return kinds.get(error.errno or 0, UnavailableError)(f"{url}: {error.strerror or type(error).__name__}")
