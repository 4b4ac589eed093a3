"""The documentation site as `make site` builds it: strictly, and with nothing from anywhere else."""

from __future__ import annotations

import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.shell import run_program

ROOT = Path(__file__).resolve().parents[2]
LOADING = {"src", "srcset", "poster", "data", "action"}
LOADING_LINKS = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
NOBODY = "http://127.0.0.1:9"


class Links(HTMLParser):
    """What one page loads, where it leads, and what can be led to."""

    def __init__(self, text: str) -> None:
        """Read it."""
        super().__init__()
        self.loads: list[str] = []
        self.leads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Sort its attributes."""
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        self.loads += [value for name, value in given.items() if name in LOADING and tag != "a"]
        if tag == "link" and LOADING_LINKS & set(given.get("rel", "").split()):
            self.loads.append(given.get("href", ""))
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it, where every way out leads to a closed port."""
    directory = tmp_path_factory.mktemp("site")
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOBODY)
    done = run_program(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", directory],
        cwd=ROOT,
        environment=os.environ | proxies | {"NO_MKDOCS_2_WARNING": "1"},
        timeout_s=300,
    )
    assert 0 == done.returncode, done.stdout
    return directory


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    """Every page, read."""
    return {page: Links(page.read_text(encoding="utf-8")) for page in sorted(site.rglob("*.html"))}


def test_a_readers_browser_loads_nothing_from_another_host(site: Path, pages: dict[Path, Links]) -> None:
    """No font, script, style or picture: not from a page, and not from a style sheet."""
    loads = {load for links in pages.values() for load in links.loads}
    styles = [style.read_text(encoding="utf-8") for style in site.rglob("*.css")]
    loads |= {load for style in styles for load in re.findall(r"(?:url\(|@import )[\"']?([^\"')]+)", style)}

    assert len(pages) > 100
    assert styles
    assert [] == sorted(load for load in loads if urlsplit(load).scheme not in {"", "data"} or load.startswith("//"))


def test_every_link_leads_somewhere(site: Path, pages: dict[Path, Links]) -> None:
    """To a page that is there, and a place on it; the generated pages too."""
    broken = []
    for page, links in pages.items():
        if page.name == "404.html":  # it may be shown anywhere, so its links begin at the root of a server
            continue
        for lead in links.leads:
            parts = urlsplit(lead)
            if parts.scheme:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            wants = unquote(parts.fragment)
            if not target.exists() or (wants and target in pages and wants not in pages[target].ids):
                broken.append(f"{page.relative_to(site)}: {lead}")

    assert [] == broken


def test_an_option_that_a_page_names_leads_to_its_description(site: Path, pages: dict[Path, Links]) -> None:
    """From any page."""
    tune = pages[site / "how-to" / "tune.html"]

    assert "../reference/options.html#--fetch_concurrency" in tune.leads


def test_a_section_of_the_readme_is_on_one_page_of_the_site(site: Path) -> None:
    """What is shown elsewhere is found there by the search, and the readme as a whole is not."""
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")

    assert 1 == index.count("These commands make everything the job needs")
    assert '"how-to/set-up-aws.html#the-least-policy"' in index


def test_every_page_in_docs_has_a_place_in_the_navigation(site: Path, pages: dict[Path, Links]) -> None:
    """A page that nobody can come across is not read."""
    documents = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}

    assert set() == {str(document) for document in documents} - {"index.html"} - set(pages[site / "index.html"].leads)
