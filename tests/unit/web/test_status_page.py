"""The page: one file, and what a browser may do with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from pipeline.web.figures import EVENTS
from pipeline.web.status_page import status_page

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "pipeline/web/status.html").read_text(encoding="utf-8")


def test_the_page_is_whole_and_asks_nobody_else() -> None:
    """No script, style, font or picture of another server; a link is not followed by itself."""
    sources = re.findall(r"""\b(?:src|href)=["']([^"']*)""", PAGE)

    assert {"#", "/", "d"} == {source[0] for source in sources}
    assert [] == re.findall(r"@import|url\(", PAGE)


def test_the_page_never_makes_markup_of_data() -> None:
    """Nor has it handlers in its markup, which its policy forbids."""
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|<\w[^>]*\son\w+="

    assert [] == re.findall(forbidden, PAGE)


def test_the_policy_allows_the_one_script_and_the_one_style() -> None:
    """By their digests; that they run is tested in a browser."""
    _, headers = status_page()
    policy = headers["Content-Security-Policy"]

    assert re.search(r"default-src 'none'; script-src 'sha256-[\w+/]{43}='; style-src 'sha256-[\w+/]{43}=';", policy)
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_the_page_comes_with_the_package() -> None:
    """Or an installed job would have none."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

    assert "web/status.html" in settings["tool"]["setuptools"]["package-data"]["pipeline"]


def test_every_arrow_of_the_flow_is_a_figure() -> None:
    """A misspelt one would show a dash for ever."""
    arrows = re.findall(r'data-arrow="(\w+)"', PAGE)
    figures = re.findall(r'data-v="(?:counts|rates)\.(\w+)"', PAGE)

    assert ["received", "fetched", "processed", "written", "settled"] == arrows
    assert set() == {*arrows, *figures} - EVENTS.keys()
