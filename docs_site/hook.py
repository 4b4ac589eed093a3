"""What happens while MkDocs builds the site; it calls the functions here by their names.

Run it from the root of the repository, as `make site` does: `python -m mkdocs build --strict`.

A page may say `<!-- site: README.md#exit-codes -->…<!-- /site -->`. A code host shows what lies between, a link; the
site shows that section of the readme, so no text is there twice. `<!-- site: options -->` and `<!-- site: records -->`
are made of the code.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, cast

from mkdocs.structure.files import File, InclusionLevel

from docs_site import headings, reference, source_pages
from docs_site.option_links import with_option_links
from docs_site.repository import README, SITE_OF_README, Repository, source_page

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

_INSERT = re.compile(r"^<!-- site: (\S+) -->$.*?^<!-- /site -->$", re.DOTALL | re.MULTILINE)
_OPTIONS_PAGE = "reference/options.md"
_NO_SEARCH = "---\nsearch:\n  exclude: true\n---\n\n"  # its sections are found where they are shown


def on_config(config: MkDocsConfig) -> None:
    """Read which page shows which section of the readme."""
    root = Path(config.config_file_path).parent
    config.mdx_configs["toc"] = {**config.mdx_configs.get("toc", {}), "slugify": headings.anchor}
    shown = {
        what.removeprefix(f"{README}#"): path.relative_to(config.docs_dir).as_posix()
        for path in sorted(Path(config.docs_dir).rglob("*.md"))
        for what in _INSERT.findall(path.read_text(encoding="utf-8"))
        if what.startswith(f"{README}#")
    }
    config.extra["repository"] = Repository(root, shown)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what the pages link to outside of docs/: other pages, and files as code."""
    repository = _repository(config)
    pages = [f"docs/{file.src_uri}" for file in files.documentation_pages()]
    linked = repository.linked_from([README, *pages])
    directories = [path for path in linked if (repository.root / path).is_dir()]
    inside = {path for directory in directories for path in source_pages.files_in(repository.root, directory)}
    for path in sorted(linked | inside):
        if path == README:
            _add(files, config, SITE_OF_README, _NO_SEARCH + repository.read(README))
        elif path.startswith("docs/"):
            continue
        elif path.endswith(".md"):
            _add(files, config, path, repository.read(path))
        else:
            _add(files, config, source_page(path), source_pages.page_of(repository.root, path))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - MkDocs names it
    """Put in what the page asks for, and let every link lead to the site's page of what it names."""
    at, repository = page.file.src_uri, _repository(config)
    if at == "index.md":
        page.meta["hide"] = ["navigation", "toc"]  # its cards are both
    if at.startswith("source/"):
        return markdown
    path = _path_of(page)
    done, begin = [], 0
    for insert in _INSERT.finditer(markdown):
        done += [repository.relinked(markdown[begin : insert.start()], path, at), _inserted(insert[1], at, repository)]
        begin = insert.end()
    return "".join([*done, repository.relinked(markdown[begin:], path, at)])


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - as above
    """Let every option that a page names lead to its description."""
    options = files.get_file_from_path(_OPTIONS_PAGE)
    if page.file.src_uri.startswith("source/"):
        page.present_anchor_ids = set(re.findall(r' id="([^"]+)"', html))  # MkDocs does not see those of lines of code
        return html
    if options is None or page.file == options:
        return html
    to = posixpath.relpath(options.url, posixpath.dirname(page.url) or ".")
    return with_option_links(html, reference.flags(), to)


def _repository(config: MkDocsConfig) -> Repository:
    return cast("Repository", config.extra["repository"])


def _add(files: Files, config: MkDocsConfig, at: str, text: str) -> None:
    files.append(File.generated(config, at, content=text, inclusion=InclusionLevel.NOT_IN_NAV))


def _path_of(page: Page) -> str:
    """Where in the repository a page of the site comes from."""
    at = page.file.src_uri
    if at == SITE_OF_README:
        return README
    return at if page.file.generated_by else f"docs/{at}"


def _inserted(what: str, at: str, repository: Repository) -> str:
    if what == "options":
        return reference.options_page()
    if what == "records":
        return reference.records_page(repository.root)
    _, _, anchor = what.partition("#")
    return repository.relinked(repository.section_of_readme(anchor), README, at)
