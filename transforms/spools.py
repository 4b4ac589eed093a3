"""A file that is made and not stored yet: what nobody sees until it is whole, and what a crash leaves nothing of."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any

from transforms.failures import WriteFailedError
from transforms.settings import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY_BYTES = MIB
"""What a spool keeps in memory; beyond that it is a file without a name in the temporary directory (`TMPDIR`)."""


class Spool:
    """For one thread at a time: written, then flushed, then read. Whoever has it last closes it."""

    def __init__(self, name: str) -> None:
        """`name` is what it will be stored as."""
        self.name = name
        self.size = 0
        """Bytes written."""
        self._file: IO[bytes] | None = _new_file()

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Add to its end. Raises `WriteFailedError` if the temporary directory does not take it."""
        with _failing_as_write_failed():
            self.size += self._opened().write(chunk)

    def flush(self) -> None:
        """Have all of it in its place. Raises as `write`."""
        with _failing_as_write_failed():
            self._opened().flush()

    def rewound(self) -> IO[bytes]:
        """Answer the file, at its beginning. Raises `WriteFailedError` in another process than that which made it."""
        file = self._opened()
        file.seek(0)
        return file

    def close(self) -> None:
        """Forget the content and free its place; again is harmless."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # a full disk refuses its last bytes once more
                file.close()

    def __del__(self) -> None:
        """Free the place of what nobody closed: a runner may drop what it was given."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle with a content that is in memory, and without a large one.

        Beam pickles some of the records that flow from step to step, only to know how large they are.
        """
        in_memory = self._file is not None and self.size <= MEMORY_BYTES
        return {"name": self.name, "size": self.size, "content": self.rewound().read() if in_memory else None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was pickled."""
        self.name, self.size, self._file = state["name"], state["size"], None
        if state["content"] is not None:
            self._file = _new_file()
            self._file.write(state["content"])

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            raise WriteFailedError(f"{self.name} is on the disk of another process, or closed: its {self.size:,} bytes")
        return self._file


def _new_file() -> IO[bytes]:
    return SpooledTemporaryFile(max_size=MEMORY_BYTES)


@contextmanager
def _failing_as_write_failed() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise WriteFailedError(f"the temporary directory (TMPDIR) takes no more of the rows: {reason}") from error
