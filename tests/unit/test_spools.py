"""A file on its way: in memory or on the temporary disk, whole or an error, and never left behind."""

from __future__ import annotations

import errno
import gc
import os
import pickle
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from transforms import spools
from transforms.failures import WriteFailedError
from transforms.spools import MEMORY_BYTES, Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = os.urandom(MEMORY_BYTES + 1)


class _FullDisk(tempfile.SpooledTemporaryFile[bytes]):
    """A temporary file that takes nothing, when it is written or at the end of it."""

    refuses = ""

    def write(self, data: Any) -> int:  # noqa: ANN401 - bytes of any kind
        self._refuse("write")
        return super().write(data)

    def flush(self) -> None:
        self._refuse("flush")
        super().flush()

    def close(self) -> None:
        super().close()
        self._refuse("close")

    def _refuse(self, action: str) -> None:
        if action in self.refuses:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[_FullDisk]]:
    """Spools are made of it."""
    monkeypatch.setattr(_FullDisk, "refuses", "")
    monkeypatch.setattr(spools, "SpooledTemporaryFile", _FullDisk)
    return _FullDisk


def open_files() -> int:
    """Count what this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def _a_spool(content: bytes) -> Spool:
    return _written(Spool("b/a.jsonl"), content)


def _written(spool: Spool, content: bytes) -> Spool:
    spool.write(content)
    spool.flush()
    return spool


@pytest.mark.parametrize("content", [b"", b"one\ntwo\n", LARGE])
def test_what_was_written_is_read_from_its_beginning(content: bytes) -> None:
    """As often as it is asked for."""
    spool = _a_spool(content)

    assert (content, content) == (spool.rewound().read(), spool.rewound().read())
    assert len(content) == spool.size
    spool.close()


def test_bytes_of_any_kind_are_counted_as_bytes() -> None:
    """Items of a memoryview may be larger than a byte."""
    spool = Spool("b/a.bin")
    for chunk in (b"ab", bytearray(b"cd"), memoryview(b"efgh").cast("H")):
        spool.write(chunk)

    assert (8, b"abcdefgh") == (spool.size, spool.rewound().read())
    spool.close()


def test_a_large_one_is_on_the_disk_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a process which dies leaves nothing there."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = open_files()

    spool = _a_spool(LARGE)

    assert (before + 1, []) == (open_files(), list(tmp_path.iterdir()))
    spool.close()
    assert before == open_files()


def test_what_nobody_closed_is_freed_with_it() -> None:
    """A runner may drop what it was given."""
    gc.collect()
    before = open_files()
    spool = _a_spool(LARGE)
    del spool

    assert before == open_files()


def test_closing_again_is_harmless_and_reading_afterwards_is_an_error() -> None:
    """It names what was lost."""
    spool = _a_spool(b"abc")
    spool.close()
    spool.close()

    with pytest.raises(WriteFailedError, match=r"b/a\.jsonl is on the disk of another process, or closed"):
        spool.rewound()


@pytest.mark.parametrize("action", ["write", "flush"])
def test_a_full_disk_is_a_failed_write(full_disk: type[_FullDisk], action: str) -> None:
    """Its reason is outside: not the fault of the object or the function."""
    spool = Spool("b/a.jsonl")
    full_disk.refuses = action

    with pytest.raises(WriteFailedError, match=r"\(TMPDIR\) takes no more of the rows: No space left on device"):
        _written(spool, b"abc")
    spool.close()


def test_a_full_disk_does_not_keep_a_spool_open(full_disk: type[_FullDisk]) -> None:
    """Its last bytes are refused once more then; that was told."""
    spool = _a_spool(b"abc")
    full_disk.refuses = "close"

    spool.close()

    with pytest.raises(WriteFailedError):
        spool.rewound()


def test_without_a_temporary_directory_a_large_one_is_a_failed_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only container has none, and small ones need none."""

    def nowhere(*_: object, **__: object) -> IO[bytes]:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    spool = _a_spool(b"small")
    monkeypatch.setattr(tempfile, "TemporaryFile", nowhere)
    with pytest.raises(WriteFailedError, match="No usable temporary directory found"):
        spool.write(LARGE)
    spool.close()


def test_a_small_one_pickles_whole() -> None:
    """A runner may carry it to another process."""
    spool = _a_spool(b"one\ntwo\n")
    copy = pickle.loads(pickle.dumps(spool))  # noqa: S301 - our own

    assert ("b/a.jsonl", 8, b"one\ntwo\n") == (copy.name, copy.size, copy.rewound().read())
    assert b"one\ntwo\n" == spool.rewound().read()
    for one in (spool, copy):
        one.close()


def test_a_large_one_pickles_without_its_content_and_says_so_elsewhere() -> None:
    """Beam pickles some records only to know their size; a gigabyte would be in memory then."""
    spool = _a_spool(LARGE)
    pickled = pickle.dumps(spool)

    assert len(pickled) < 1000
    with pytest.raises(WriteFailedError, match=f"on the disk of another process, or closed: its {len(LARGE):,} bytes"):
        pickle.loads(pickled).rewound()  # noqa: S301 - our own
    assert LARGE == spool.rewound().read()
    spool.close()


def test_a_closed_one_pickles() -> None:
    """Whoever looks at its size must not fail."""
    spool = _a_spool(b"abc")
    spool.close()

    assert 3 == pickle.loads(pickle.dumps(spool)).size  # noqa: S301 - our own
