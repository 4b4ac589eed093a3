"""Names of results and dead letters, by example."""

from __future__ import annotations

import pytest

from transforms.result_names import MAX_NAME_BYTES, MAX_SEGMENT_BYTES, dead_letter_name, result_name

DIGEST_CHARS = 24


def readable(name: str) -> str:
    """Drop the digest."""
    return name[: -len(".json") - DIGEST_CHARS - 1]


def test_a_name_stays_the_same_for_ever() -> None:
    """The output store is the ledger: other names would process everything again."""
    name = result_name("source-bucket", "logs/2026/01/02/a.gz", "d41d8cd98f00b204e9800998ecf8427e")

    assert "source-bucket/logs/2026/01/02/a.gz.wviiulg5uvqyz2belcrn2yp3.json" == name


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a.gz", "b/a.gz"),
        ("dt=2026-01-02/hour=03/part-0001+x@y,z.json.gz", "b/dt=2026-01-02/hour=03/part-0001+x@y,z.json.gz"),
        ("übung/日本.gz", "b/übung/日本.gz"),
        ("e\u0301", "b/é"),
        ("My file (1).gz", "b/My_file__1_.gz"),
        ("..", "b/__"),
        ("../../etc/passwd", "b/__/__/etc/passwd"),
        ("/etc/passwd", "b/_/etc/passwd"),
        ("a//b/", "b/a/_/b/_"),
        ("a/./b", "b/a/_/b"),
        (".hidden/.b", "b/_hidden/_b"),
        ("a\0b\nc\\d:e*f", "b/a_b_c_d_e_f"),
        ("\u202egz.exe", "b/_gz.exe"),
        ("con/NUL.txt/com1/COM¹/console", "b/_con/_NUL.txt/_com1/_COM¹/console"),
        ("aux", "b/_aux"),  # the digest that follows it would be an extension
    ],
)
def test_a_key_stays_readable_where_it_is_safe(key: str, expected: str) -> None:
    """An underscore stands for whatever is not."""
    assert expected == readable(result_name("b", key, "etag"))


@pytest.mark.parametrize("folder", ["a.json", "a.JSON", "a.j\u017fon", "a.tmp", "a.TMP"])
def test_a_folder_of_a_key_is_never_named_like_a_file_of_ours(folder: str) -> None:
    """Or one key's result could stand where another's folder has to be made."""
    assert f"b/{folder}_/k" == readable(result_name("b", f"{folder}/k", None))


def test_a_key_that_is_the_name_of_a_result_does_not_meet_it() -> None:
    """Whoever writes keys can compute digests."""
    _, result = result_name("b", "a", "etag").split("/")

    _, folder, _ = result_name("b", f"{result}/k", "etag").split("/")

    assert f"{result}_" == folder


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv.gz"])
def test_rows_are_named_like_their_result_but_for_the_suffix(suffix: str) -> None:
    """Who sees one finds the other."""
    assert result_name("b", "k/a", "e").removesuffix(".json") + suffix == result_name("b", "k/a", "e", suffix)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet", ".csv.gz", ".7z"])
def test_a_key_that_is_the_name_of_rows_does_not_meet_them(suffix: str) -> None:
    """Nor does one whose case is another."""
    _, rows = result_name("b", "a", "etag", suffix).split("/")

    for name in (rows, rows.upper()):
        _, folder, _ = result_name("b", f"{name}/k", "etag").split("/")

        assert f"{name}_" == folder


def test_keys_that_differ_in_case_differ_on_a_file_system_that_ignores_it() -> None:
    """The digest does it."""
    assert result_name("b", "A", None).lower() != result_name("b", "a", None).lower()


def test_no_bucket_has_the_folder_of_dead_letters() -> None:
    """No real one could, but the function takes any text."""
    assert "-dead_letters/a" == readable(result_name("_dead_letters", "a", None))


def test_no_etag_is_another_name_than_an_empty_one() -> None:
    """None is not the empty string."""
    assert result_name("b", "a", None) != result_name("b", "a", "")


@pytest.mark.parametrize("key", ["k" * 1024, "日" * 341, "/" * 1024, f"{'k' * 254}/" * 4, f"{'x' * 300}/k", "a/" * 512])
def test_a_long_key_is_cut_to_what_every_store_takes(key: str) -> None:
    """Letters of several bytes, many folders and long ones."""
    name = result_name("b" * 63, key, "etag")

    assert len(name.encode()) <= MAX_NAME_BYTES
    assert max(len(part.encode()) for part in name.split("/")) <= MAX_SEGMENT_BYTES


def test_a_dead_letter_is_named_by_its_message_and_index() -> None:
    """What SQS makes ids of needs no digest."""
    name = dead_letter_name("059f36b4-87a3-44ab-83d2-661975830a7d", 3)

    assert "059f36b4-87a3-44ab-83d2-661975830a7d-3.json" == name


@pytest.mark.parametrize(
    ("message_id", "expected"),
    [
        ("", "_"),
        ("..", "__"),
        ("../x", "_._x"),
        ("a/b", "a_b"),
        ("ABC", "ABC"),
        ("con.x", "_con.x"),
        ("k" * 1024, "k" * 100),
    ],
)
def test_an_odd_message_id_is_made_safe_and_told_apart_by_a_digest(message_id: str, expected: str) -> None:
    """Upper case too: some file systems ignore it."""
    stem = dead_letter_name(message_id, 0).removesuffix("-0.json")

    assert expected == stem[: -DIGEST_CHARS - 1]
