"""Pages that show files and directories."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docs_site.source_pages import files_in, page_of

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_shown_whole_with_line_numbers(tmp_path: Path) -> None:
    """Its own code blocks do not end the page's."""
    (tmp_path / "run.sh").write_text("cat <<END\n```\nEND\n", encoding="utf-8")

    page = page_of(tmp_path, "run.sh")

    assert page.endswith('``````` { .bash linenums="1" }\ncat <<END\n```\nEND\n````````\n')
    assert "# `run.sh`" in page


def test_a_directory_lists_its_files_and_leads_to_those_with_text(tmp_path: Path) -> None:
    """Not to what is hidden, or no text."""
    for name in ("b.py", "a.gz", ".hidden", "__init__.py"):
        (tmp_path / "code").mkdir(exist_ok=True)
        (tmp_path / "code" / name).write_bytes(b"")

    assert page_of(tmp_path, "code").endswith("# `code`\n\n- `a.gz`\n- [`b.py`](code/b.py.md)\n")
    assert ["code/b.py"] == files_in(tmp_path, "code")
