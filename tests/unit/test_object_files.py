"""Every key has a place of its own below the directory."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.object_files import object_paths

ROOT = Path("/objects")


@pytest.mark.parametrize("key", ["a.gz", "2026/11/24/a b.gz", "ä/日本.gz", "_x", "-", "..a", "a" * 255])
def test_an_ordinary_key_is_a_path(key: str) -> None:
    """People find it, and can put it there themselves."""
    assert ROOT / "bucket" / key == object_paths(ROOT, "bucket", key)[0]


@pytest.mark.parametrize(
    "key",
    ["", "/a", "a/", "a//b", ".", "../a", "a/../../b", "a\x00", "a\nb", "a\\b", "c:x", "a" * 256, "ab/" * 400 + "c"],
)
def test_a_key_that_is_no_path_has_its_digest(key: str) -> None:
    """It cannot leave the directory."""
    (only,) = object_paths(ROOT, "bucket", key)

    assert ROOT / "bucket" == only.parent
    assert only.name.startswith("_key-")


@given(st.text(), st.text())
def test_no_two_keys_share_their_last_place(one: str, other: str) -> None:
    """Nor does any key leave its bucket's directory."""
    paths = [object_paths(ROOT, "bucket", key) for key in (one, other)]

    assert (paths[0][-1] == paths[1][-1]) == (one == other)
    assert all(path.resolve().is_relative_to(ROOT / "bucket") for found in paths for path in found)


@pytest.mark.parametrize("bucket", ["", ".", "..", "a/b", "../a"])
def test_a_bucket_is_one_directory(bucket: str) -> None:
    """A message may name anything."""
    with pytest.raises(ValueError, match="bucket"):
        object_paths(ROOT, bucket, "a")
