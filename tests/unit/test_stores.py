"""Stores without a network, and which location opens which."""

from __future__ import annotations

import errno
import io
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.store_contract import NAME, StoreContract
from transforms import directory_store
from transforms.directory_store import DirectoryStore
from transforms.failures import UserError, WriteFailedError
from transforms.remote_store import RemoteStore
from transforms.stores import Store, check_writable, open_store

if TYPE_CHECKING:
    from collections.abc import Callable

REGION = "us-east-1"


class TestDirectory(StoreContract):
    """A directory that does not exist yet."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """Open it by its path."""
        return open_store(str(tmp_path / "new" / "output"), region=REGION)


class TestDirectoryWithFsync(StoreContract):
    """The same, safe from a power loss, by URL, with a space in its name."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """Open it by its URL."""
        return open_store(f"file://{tmp_path}/my%20output", region=REGION, fsync=True)


class TestMemory(StoreContract):
    """What obstore keeps in memory, standing for every remote store."""

    @pytest.fixture
    def store(self) -> Store:
        """Open a new one."""
        return open_store("memory://", region=REGION)


def files_in(directory: Path) -> list[str]:
    """List every file, hidden ones too."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_nothing_but_the_document_is_left_in_its_directory(tmp_path: Path) -> None:
    """No temporary file, no state."""
    DirectoryStore(tmp_path).put("a/b.json", b"{}")

    assert ["a/b.json"] == files_in(tmp_path)


def test_a_directory_that_somebody_removed_is_made_again(tmp_path: Path) -> None:
    """A cleaner may run beside the job."""
    store = DirectoryStore(tmp_path / "output", fsync=True)
    store.put("a/b.json", b"1")
    (tmp_path / "output" / "a" / "b.json").unlink()
    (tmp_path / "output" / "a").rmdir()

    store.put("a/b.json", b"2")

    assert b"2" == store.get("a/b.json")


def test_a_reader_sees_the_old_document_until_the_new_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a write is stopped by, and it leaves nothing behind."""
    store = DirectoryStore(tmp_path)
    store.put("a.json", b"old")

    def fail_halfway(file: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", fail_halfway)
    with pytest.raises(WriteFailedError, match="No space left on device") as caught:
        store.put("a.json", b"new")

    assert b"old" == store.get("a.json")
    assert ["a.json"] == files_in(tmp_path)
    assert not caught.value.permanent


def test_a_file_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No temporary file either."""
    store, write = DirectoryStore(tmp_path), os.write

    def fail_at_the_second_piece(file: int, data: memoryview) -> int:
        if os.fstat(file).st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, data)

    monkeypatch.setattr(os, "write", fail_at_the_second_piece)
    with pytest.raises(WriteFailedError, match="No space left on device"):
        store.put_file("a.jsonl", io.BytesIO(bytes(3_000_000)))

    assert [] == files_in(tmp_path)


def test_a_file_is_copied_a_piece_at_a_time(tmp_path: Path) -> None:
    """However large it is."""
    sizes: list[int | None] = []

    class _Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(size)
            return super().read(size)

    DirectoryStore(tmp_path).put_file("a.jsonl", _Watched(bytes(3_000_000)))

    assert {1024 * 1024} == set(sizes)


def test_a_failed_rename_leaves_no_temporary_file(tmp_path: Path) -> None:
    """Somebody made a folder where the document should be."""
    (tmp_path / "a.json").mkdir()

    with pytest.raises(WriteFailedError, match="Is a directory") as caught:
        DirectoryStore(tmp_path).put("a.json", b"{}")

    assert [] == files_in(tmp_path)
    assert caught.value.permanent


def test_a_document_is_written_whole_however_little_each_write_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write may take less than it is given."""
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:3]))

    DirectoryStore(tmp_path).put("a.json", b"0123456789")

    assert b"0123456789" == (tmp_path / "a.json").read_bytes()


def test_only_results_are_listed(tmp_path: Path) -> None:
    """People put a README beside them, and a writer that died left a temporary file."""
    store = DirectoryStore(tmp_path)
    store.put("a/b.json", b"{}")
    (tmp_path / "README.md").write_text("")
    (tmp_path / "a" / ".0123-1-0.tmp").write_text("")

    assert ["a/b.json"] == list(store.names())


def test_so_many_folders_are_remembered_as_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys make as many as they like; what is forgotten is made safe again."""
    monkeypatch.setattr(directory_store, "_MAX_REMEMBERED", 2)
    store = DirectoryStore(tmp_path, fsync=True)
    for folder in ("a", "b", "c"):
        store.put(f"{folder}/1.json", b"{}")

    assert {str(tmp_path / "c")} == store._safe_folders


def test_writers_of_the_same_name_do_not_meet(tmp_path: Path) -> None:
    """Two processes may have the same message; either's document may win, whole."""
    stores = [DirectoryStore(tmp_path) for _ in range(4)]
    documents = [str(number).encode() * 10_000 for number in range(len(stores))]

    def write(number: int) -> None:
        for _ in range(50):
            stores[number].put("a.json", documents[number])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(len(stores))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (tmp_path / "a.json").read_bytes() in documents
    assert ["a.json"] == files_in(tmp_path)


def test_fsync_reaches_the_file_and_every_folder_that_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in a folder that a power loss forgets is lost too."""
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(str(Path(f"/proc/self/fd/{file}").readlink())))

    DirectoryStore(tmp_path / "output", fsync=True).put("a/b.json", b"{}")

    assert synced[0].endswith(".tmp")
    assert [str(tmp_path / "output" / "a"), str(tmp_path / "output"), str(tmp_path)] == synced[1:4]


def test_without_fsync_nothing_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs milliseconds."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)

    DirectoryStore(tmp_path).put("a/b.json", b"{}")

    assert [] == synced


def _a_file_stands_there(directory: Path) -> None:
    directory.write_bytes(b"")


def _a_dangling_link_stands_there(directory: Path) -> None:
    directory.symlink_to(directory / "nowhere")


@pytest.mark.parametrize("spoil", [_a_file_stands_there, _a_dangling_link_stands_there])
def test_a_directory_that_cannot_be_one_is_refused_for_good(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Start-up says so."""
    spoil(tmp_path / "output")

    with pytest.raises(WriteFailedError, match="output") as caught:
        check_writable(DirectoryStore(tmp_path / "output"))

    assert caught.value.permanent


@pytest.mark.parametrize(
    ("number", "permanent"), [(errno.EROFS, True), (errno.EACCES, True), (errno.ENOSPC, False), (errno.EIO, False)]
)
def test_an_error_is_permanent_if_only_a_person_can_change_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, permanent: bool
) -> None:
    """The rest is an outage, which start-up waits for."""

    def refuse(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(WriteFailedError, match=os.strerror(number)) as caught:
        DirectoryStore(tmp_path).put("a.json", b"{}")

    assert permanent == caught.value.permanent


def test_a_store_that_cannot_be_listed_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than look empty."""

    def refuse(path: str) -> object:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(WriteFailedError, match="cannot list"):
        list(DirectoryStore(tmp_path).names())


def test_whoever_may_not_delete_may_still_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results need no permission to delete."""
    store = open_store("memory://", region=REGION)

    def refuse(name: str) -> None:
        raise WriteFailedError("denied")

    monkeypatch.setattr(store, "delete", refuse)
    check_writable(store)

    assert [] == list(store.names())


@pytest.mark.parametrize("location", ["output", "./output", "/tmp/output", "file:///tmp/output", "odd:name"])  # noqa: S108 - not used
def test_a_path_is_a_directory(location: str) -> None:
    """Nothing is made yet."""
    store = open_store(location, region=REGION)

    assert (DirectoryStore, False) == (type(store), store.is_remote)


def test_a_home_directory_is_found() -> None:
    """`--output=~/results` reaches us as it is written."""
    store = open_store("~/results", region=REGION)

    assert isinstance(store, DirectoryStore)
    assert str(Path("~/results").expanduser()) == store._directory


def test_memory_waits_in_the_pool_like_every_remote_store() -> None:
    """It stands for them in tests."""
    store = open_store("memory://", region=REGION)

    assert (RemoteStore, True) == (type(store), store.is_remote)


@pytest.mark.parametrize(
    ("location", "sentence"),
    [
        ("ftp://host/directory", "neither a directory nor a URL of a known kind"),
        ("file://host/directory", "not a directory of this machine"),
        ("file:///directory?x", "not a directory of this machine"),
        ("s3://", "write s3://bucket"),
        ("s3:///prefix", "write s3://bucket"),
        ("s3://bucket//prefix", "without // . or .. in it"),
        ("s3://bucket/a/../b", "without // . or .. in it"),
        ("az://container", "cannot be opened"),
    ],
)
def test_what_is_no_location_is_refused_with_a_sentence(location: str, sentence: str) -> None:
    """Before anything else is done."""
    with pytest.raises(UserError, match=sentence):
        open_store(location, region=REGION)


def test_a_document_of_a_result_is_named_in_its_error(tmp_path: Path) -> None:
    """An operator looks for it."""
    with pytest.raises(WriteFailedError, match=NAME):
        DirectoryStore(tmp_path).get(NAME)
