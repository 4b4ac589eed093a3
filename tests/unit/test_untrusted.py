"""Values that anybody may have written: what is used, what counts as missing, what spoils the record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import a_delivery
from transforms.failures import UnreadableNotificationError
from transforms.untrusted import checked_ref, shown

if TYPE_CHECKING:
    from transforms.records import ObjectRef


def _checked(**values: Any) -> ObjectRef:  # noqa: ANN401 - anything at all is the point
    return checked_ref(a_delivery(), 0, **{"bucket": "source-bucket", "key": "a.gz"} | values)


@pytest.mark.parametrize("bucket", ["abc", "a.b-c", "Legacy_Bucket", "..a", "b" * 255])
def test_a_bucket_name_that_s3_has_ever_allowed_is_used(bucket: str) -> None:
    """Old buckets of us-east-1 have names that new ones may not."""
    assert bucket == _checked(bucket=bucket).bucket


@pytest.mark.parametrize("bucket", [None, "", ".", "..", "a/b", "a\n", "ü", "b" * 256, 5, [], "host@evil", "a b"])
def test_a_bucket_name_that_could_be_a_path_or_a_host_is_unreadable(bucket: object) -> None:
    """It becomes a directory's name and a part of a host name."""
    with pytest.raises(UnreadableNotificationError, match="bucket name is"):
        _checked(bucket=bucket)


@pytest.mark.parametrize("key", ["/", "..", "a\n", "\0", "k" * 1024, "é" * 512])
def test_a_key_of_1_to_1024_bytes_is_used_as_it_is(key: str) -> None:
    """Every Unicode character is legal in a key."""
    assert key == _checked(key=key).key


@pytest.mark.parametrize("key", [None, "", 5, ["a"], "k" * 1025, "é" * 513, "a\ud800"])
def test_a_key_that_s3_cannot_have_is_unreadable(key: object) -> None:
    """Missing, of a wrong type, too long in bytes, or not Unicode."""
    with pytest.raises(UnreadableNotificationError, match="the key"):
        _checked(key=key)


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 0), (5, 5), (2**63 - 1, 2**63 - 1), (2**63, None), (-1, None), (True, None), (5.0, None), ("5", None)],
)
def test_a_size_is_a_whole_number_of_bytes_or_missing(size: object, expected: int | None) -> None:
    """It is counted, so it must be one."""
    assert expected == _checked(size=size).size


@pytest.mark.parametrize(
    ("etag", "expected"),
    [("abc-2", "abc-2"), ('"abc"', "abc"), ("", None), ('""', None), (5, None), ("a\r\nX: y", None), ("\ud800", None)],
)
def test_an_etag_has_no_quotes_and_could_stand_in_a_header(etag: object, expected: str | None) -> None:
    """`If-Match` is made of it."""
    assert expected == _checked(etag=etag).etag


@pytest.mark.parametrize(
    ("version_id", "expected"), [("null", "null"), ("L4kq.K_x", "L4kq.K_x"), ("", None), (None, None), ({}, None)]
)
def test_null_is_a_version_id_and_an_empty_one_is_missing(version_id: object, expected: str | None) -> None:
    """`null` is the version written while versioning is suspended."""
    assert expected == _checked(version_id=version_id).version_id


_TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-01-02T03:04:05.000Z", _TIME),
        ("2026-01-02T05:04:05+02:00", _TIME),
        ("2026-01-02T03:04:05", _TIME),
        (_TIME.astimezone(timezone(timedelta(hours=2))), _TIME),
        (_TIME.replace(tzinfo=None), _TIME),
        ("0001-01-01T00:00:00+14:00", None),
        ("yesterday", None),
        ("\ud800", None),
        (1767323045, None),
        (None, None),
    ],
)
def test_a_time_is_in_utc_or_missing(time: object, expected: datetime | None) -> None:
    """Without a zone it is UTC, as every time of AWS is."""
    actual = _checked(event_time=time).event_time

    assert expected == actual
    assert actual is None or actual.tzinfo is UTC


@pytest.mark.parametrize(
    ("region", "expected"), [("eu-west-1", "eu-west-1"), ("", None), ("eu.evil.example/", None), (5, None)]
)
def test_a_region_could_not_lead_to_another_host(region: object, expected: str | None) -> None:
    """An endpoint is made of it, and credentials go there."""
    assert expected == _checked(region=region).region


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a", "'a'"),
        ("x" * 200, f"'{'x' * 100}…'"),
        (None, "null or missing"),
        (1.5, "1.5"),
        (True, "True"),
        pytest.param(10**5000, "of type int", id="10**5000"),
        (float("nan"), "of type float"),
        ([[]], "of type list"),
    ],
)
def test_any_value_can_be_shown_in_a_sentence(value: object, expected: str) -> None:
    """Python refuses to print the largest numbers."""
    assert expected == shown(value)
