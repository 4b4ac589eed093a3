"""A file that a function returns: which suffixes there are."""

from __future__ import annotations

import pytest

from transforms import File, files


def test_users_import_it_from_the_package() -> None:
    """One short line."""
    assert files.File is File


@pytest.mark.parametrize("suffix", [".parquet", ".csv.gz", ".jsonl", ".7z", ".json.gz", f".{'x' * 31}"])
def test_a_suffix_is_dots_lower_case_letters_and_digits(suffix: str) -> None:
    """Such a name is safe everywhere."""
    assert suffix == File(suffix, b"").suffix


@pytest.mark.parametrize(
    ("suffix", "said"),
    [
        *((suffix, "is no suffix") for suffix in ("parquet", "", ".", "..", ".a/b", ".Parquet", ".a.b.c.d", ".a\n")),
        (f".{'x' * 32}", "is no suffix"),
        (".json", "of the job's own files"),
        (".gz.json", "of the job's own files"),
        (".tmp", "of the job's own files"),
    ],
)
def test_any_other_suffix_is_refused_where_the_file_is_made(suffix: str, said: str) -> None:
    """The traceback then leads to the user's line. Documents alone end in `.json`."""
    with pytest.raises(ValueError, match=said):
        File(suffix, b"")
