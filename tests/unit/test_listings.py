"""How a bucket is divided and listed: every key once, whatever the folders are."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.fake_listing import CHANGED_AT, FakeListing
from transforms.listings import RANGES, KeyRange, Listed, advance


def _list_all(listing: FakeListing, prefix: str = "") -> list[list[str]]:
    """Answer the keys that each range has."""
    _, ranges = advance(KeyRange("b", prefix), listing.list_objects_v2)
    return [_keys_of(keys, listing) for keys in ranges]


def _keys_of(keys: KeyRange, listing: FakeListing) -> list[str]:
    listed, rest = advance(keys, listing.list_objects_v2)
    return [each.key for each in listed] + [key for more in rest for key in _keys_of(more, listing)]


def test_folders_are_listed_beside_each_other_and_every_key_once() -> None:
    """Also what is beside the folders, and the folders' own markers."""
    folders = [f"{number:02}/" for number in range(3 * RANGES)]
    keys = [*(f"{folder}{name}" for folder in folders for name in ("", "a", "b/c")), "0", "1", "zz"]
    ranges = _list_all(FakeListing(keys, per_page=100))

    assert RANGES == len(ranges)
    assert sorted(keys) == sorted(key for found in ranges for key in found)
    assert max(len(found) for found in ranges) < len(keys) / 4


def test_a_place_with_few_folders_is_divided_at_the_folders_below() -> None:
    """Years have months, and months days."""
    keys = [f"logs/2026/{month:02}/{day:02}/a.gz" for month in range(1, 13) for day in (1, 2)]
    ranges = _list_all(FakeListing([*keys, "other"]), prefix="logs/")

    assert RANGES == len(ranges)
    assert sorted(keys) == [key for found in ranges for key in found]


def test_a_place_without_folders_is_one_range() -> None:
    """There is nothing to divide it by."""
    keys = [f"logs-{number}" for number in range(10)]
    listing = FakeListing(keys, per_page=3)

    assert [keys] == _list_all(listing, prefix="logs")
    assert ["", "logs-2", "logs-5", "logs-8"] == [q["StartAfter"] for q in listing.questions if "StartAfter" in q]


def test_a_prefix_is_taken_as_it_is() -> None:
    """As S3 understands it: it need not be a folder."""
    keys = ["logs-old/a", "logs/a", "logs.txt", "log"]

    assert [["logs-old/a", "logs.txt", "logs/a"]] == [
        [key for found in _list_all(FakeListing(keys), prefix="logs") for key in found]
    ]


def test_an_empty_page_is_not_the_end() -> None:
    """Stores that look for the next keys for long answer one, and where to go on."""

    class _Slow(FakeListing):
        def list_objects_v2(self, **question: Any) -> dict[str, Any]:  # noqa: ANN401
            if "StartAfter" in question:
                return super().list_objects_v2(**question) | {
                    "Contents": [],
                    "IsTruncated": True,
                    "NextContinuationToken": "a",
                }
            return super().list_objects_v2(**question)

    assert [["b", "c"]] == _list_all(_Slow(["a", "b", "c"]))


def test_an_object_is_what_the_listing_says_of_it() -> None:
    """The ETag without quotes, as in notifications; who says no storage class means the usual one."""
    keys = KeyRange("b", is_whole=False)

    (listed,), rest = advance(keys, FakeListing(["a"]).list_objects_v2)

    expected = Listed("b", "a", "etag of a", 1, CHANGED_AT, "STANDARD", "eu-west-1")
    assert (expected, []) == (listed, rest)
    assert "s3://b/" == keys.url
    assert dataclasses.replace(keys, prefix="p/").url == "s3://b/p/"
