"""Files stand for objects: what S3 would answer, a directory answers, and nothing outside of it."""

from __future__ import annotations

import hashlib
import os
import pickle
from typing import TYPE_CHECKING

import pytest

from tests.builders import BUCKET, ETAG, an_object_ref
from transforms.directory_objects import CHUNK_BYTES, DirectoryObjects
from transforms.failures import (
    BrokenTransferError,
    ForbiddenError,
    ObjectGoneError,
    RecordError,
    UnavailableError,
    UserError,
)
from transforms.object_files import object_paths
from transforms.objects import ObjectInfo
from transforms.process_wide import ProcessWide

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"0123456789"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


def _put(root: Path, key: str, content: bytes = CONTENT) -> Path:
    path = object_paths(root, BUCKET, key)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _open(root: Path, key: str = "a", *, etag: str | None = None, offset: int = 0) -> tuple[ObjectInfo, bytes]:
    opened = DirectoryObjects(str(root)).open(an_object_ref(key=key, etag=etag), offset=offset)
    return opened.info, b"".join(opened.chunks())


def _refusal(root: Path, key: str = "a") -> RecordError:
    with pytest.raises(RecordError) as refused:
        _open(root, key)
    return refused.value


@pytest.mark.parametrize("key", ["a", "logs/2026/a b+.gz", "ä/日本", "a//b", "/a", "../../a", "a\nb", "k" * 1024])
def test_an_object_is_the_file_of_its_bucket_and_key(tmp_path: Path, key: str) -> None:
    """A key that is no path has the file of its digest."""
    _put(tmp_path, key)

    assert (ObjectInfo(MD5, None, 10), CONTENT) == _open(tmp_path, key)


def test_a_key_beside_keys_below_it_is_found_by_its_digest(tmp_path: Path) -> None:
    """S3 takes `a` beside `a/b`; a file system does not."""
    _put(tmp_path, "a/b")
    object_paths(tmp_path, BUCKET, "a")[-1].write_bytes(CONTENT)

    assert CONTENT == _open(tmp_path, "a")[1]


def test_etag_and_version_are_those_of_the_reference(tmp_path: Path) -> None:
    """So a result has the name that it has with S3; without an ETag it is S3's for a simple upload."""
    _put(tmp_path, "a")
    ref = an_object_ref(key="a", etag=ETAG, version_id="v1")

    assert ObjectInfo(ETAG, "v1", 10) == DirectoryObjects(str(tmp_path)).open(ref).info
    assert MD5 == _open(tmp_path)[0].etag


def test_it_is_read_from_an_offset_in_pieces(tmp_path: Path) -> None:
    """A stream that is opened again goes on; bounded memory however large the file."""
    content = bytes(range(256)) * (CHUNK_BYTES // 128)
    _put(tmp_path, "a", content)
    opened = DirectoryObjects(str(tmp_path)).open(an_object_ref(key="a"), offset=3)

    pieces = list(opened.chunks())

    assert (content[3:], len(content)) == (b"".join(pieces), opened.info.size)
    assert [CHUNK_BYTES, CHUNK_BYTES - 3] == [len(piece) for piece in pieces]


def test_at_its_end_there_is_nothing_to_read_and_beyond_it_is_broken(tmp_path: Path) -> None:
    """As with S3, where the latter was cut meanwhile."""
    _put(tmp_path, "a")

    assert b"" == _open(tmp_path, offset=10)[1]
    with pytest.raises(BrokenTransferError, match="has 10 bytes; asked for were those from 11"):
        _open(tmp_path, offset=11)


def test_another_etag_than_asked_for_is_gone(tmp_path: Path) -> None:
    """Whoever resumes must not go on with another object."""
    _put(tmp_path, "a")
    objects, ref = DirectoryObjects(str(tmp_path)), an_object_ref(key="a", etag=None)

    assert b"89" == b"".join(objects.open(ref, offset=8, if_match=MD5).chunks())
    with pytest.raises(ObjectGoneError, match=f"has the ETag {MD5}; asked for was {ETAG}"):
        objects.open(ref, if_match=ETAG)


@pytest.mark.parametrize("key", ["a", "there/a", "file/below", "there", "a//b"])
def test_what_is_no_file_is_gone(tmp_path: Path, key: str) -> None:
    """Said without a path of this machine, which a dead letter would tell."""
    _put(tmp_path, "there/b")
    _put(tmp_path, "file")
    error = _refusal(tmp_path, key)

    assert isinstance(error, ObjectGoneError)
    assert f"s3://{BUCKET}/{key}: there is no such file under --objects" == error.detail


def test_a_link_is_followed_inside_of_the_directory_only(tmp_path: Path) -> None:
    """A recording from elsewhere must not read this machine."""
    root = tmp_path / "objects"
    file = _put(root, "file")
    (tmp_path / "secret").write_bytes(b"secret")
    (file.parent / "inside").symlink_to("file")
    (file.parent / "outside").symlink_to(tmp_path / "secret")
    (file.parent / "up").symlink_to(tmp_path)
    (file.parent / "loop").symlink_to("loop")

    assert CONTENT == _open(root, "inside")[1]
    for key in ("outside", "up/secret"):
        assert f"s3://{BUCKET}/{key}: its file is a link out of --objects, which is not followed" == str(
            _refusal(root, key)
        )
    assert isinstance(_refusal(root, "loop"), ObjectGoneError)


def test_a_pipe_is_gone(tmp_path: Path) -> None:
    """To open it would wait for somebody who writes."""
    os.mkfifo(_put(tmp_path, "b").with_name("a"))

    assert isinstance(_refusal(tmp_path), ObjectGoneError)


@pytest.mark.parametrize("content", [CONTENT[:5], CONTENT + b"more"])
def test_a_file_that_changes_its_size_meanwhile_is_a_broken_transfer(tmp_path: Path, content: bytes) -> None:
    """Fewer bytes than announced, or more."""
    path = _put(tmp_path, "a")
    opened = DirectoryObjects(str(tmp_path)).open(an_object_ref(key="a"))
    path.write_bytes(content)

    with pytest.raises(BrokenTransferError, match="the file does not have the 10 bytes any more"):
        list(opened.chunks())


def test_a_file_that_is_removed_before_it_is_read_is_gone(tmp_path: Path) -> None:
    """It is opened when it is read."""
    path = _put(tmp_path, "a")
    opened = DirectoryObjects(str(tmp_path)).open(an_object_ref(key="a"))
    path.unlink()

    with pytest.raises(ObjectGoneError, match="No such file"):
        list(opened.chunks())


@pytest.mark.parametrize(
    ("error", "kind"),
    [(PermissionError(13, "Permission denied"), ForbiddenError), (OSError(5, "I/O"), UnavailableError)],
)
def test_what_the_file_system_refuses_may_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, kind: type[RecordError]
) -> None:
    """As it does with S3: tried again later."""

    def refuse(path: object, **_: object) -> None:
        raise error

    _put(tmp_path, "a")
    objects = DirectoryObjects(str(tmp_path))
    monkeypatch.setattr("transforms.directory_objects.Path.stat", refuse)

    with pytest.raises(kind, match=error.strerror):
        objects.open(an_object_ref(key="a"))


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """Else every object would be gone, and set aside."""
    with pytest.raises(UserError, match="and there is no such directory; objects are DIR/<bucket>/<key>"):
        DirectoryObjects(f"{tmp_path}/typo")


def test_it_reaches_other_processes(tmp_path: Path) -> None:
    """By its handle, which runners pickle."""
    _put(tmp_path, "a")
    handle = pickle.loads(pickle.dumps(ProcessWide(DirectoryObjects, str(tmp_path))))  # noqa: S301 - our own

    assert CONTENT == b"".join(handle.get().open(an_object_ref(key="a")).chunks())
