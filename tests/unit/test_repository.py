"""Where a relative link of a page leads on the site."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from docs_site.repository import Repository, Target

if TYPE_CHECKING:
    from pathlib import Path

README = """\
# Readme

## Install

[why](docs/why.md#because), [code](src/run.py)

### By hand

## Other
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A readme whose section *Install* is shown by the page how-to/install.md."""
    files = {
        "README.md": README,
        "docs/why.md": "# Why\n[tests](../tests)\n",
        "docs/how-to/install.md": "[readme](../../README.md#install)\n",
        "src/run.py": "print()\n",
        "tests/test_run.py": "import src\n\n\ndef test_it_runs() -> None: ...\n",
        "bench/README.md": "# Bench\n[again](../docs/why.md)\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return Repository(tmp_path, {"install": "how-to/install.md"})


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target("docs/why.md", "because"), "why.md#because"),
        (Target("README.md", "install"), "how-to/install.md"),
        (Target("README.md", "by-hand"), "how-to/install.md#by-hand"),
        (Target("README.md", "other"), "readme.md#other"),
        (Target("README.md"), "readme.md"),
        (Target("bench"), "bench/README.md"),
        (Target("bench/README.md", "bench"), "bench/README.md#bench"),
        (Target("src/run.py"), "source/src/run.py.md"),
        (Target("tests"), "source/tests.md"),
    ],
)
def test_every_file_has_its_place(repository: Repository, target: Target, expected: str) -> None:
    """Pages of docs/ keep their names, the readme is in parts, code has pages of its own."""
    assert expected == repository.place(target)


def test_a_section_takes_its_links_along(repository: Repository) -> None:
    """They were relative to the readme, and are relative to the page that shows it."""
    text = repository.relinked(repository.section_of_readme("install"), "README.md", "how-to/install.md")

    assert "[why](../why.md#because), [code](../source/src/run.py.md)" in text


def test_a_link_to_a_test_leads_to_its_line(repository: Repository) -> None:
    """A file of tests, or a test that is not there, has none."""
    text = "[test_it_runs](tests/test_run.py) [test_none](tests/test_run.py) [test_run.py](tests/test_run.py)"
    page = "source/tests/test_run.py.md"

    assert f"[test_it_runs]({page}#__codelineno-0-4) [test_none]({page}) [test_run.py]({page})" == repository.relinked(
        text, "README.md", "readme.md"
    )


def test_links_in_code_and_to_other_hosts_stay(repository: Repository) -> None:
    """What is shown as code is not a link."""
    text = "```\n[a](src/run.py)\n```\n[b](https://example.com/a.md)"

    assert text == repository.relinked(text, "README.md", "readme.md")


def test_the_text_of_a_link_may_go_over_the_end_of_a_line(repository: Repository) -> None:
    """As prose does."""
    assert "[how to\ninstall](how-to/install.md)" == repository.relinked(
        "[how to\ninstall](docs/how-to/install.md)", "README.md", "readme.md"
    )


def test_what_pages_lead_to_is_found_over_other_pages(repository: Repository) -> None:
    """The readme leads to why.md, which leads to the tests."""
    assert {"README.md", "docs/why.md", "src/run.py", "tests"} == repository.linked_from(["README.md"])
