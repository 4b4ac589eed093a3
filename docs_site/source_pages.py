"""Pages that show a file of the repository, with line numbers; or what is in a directory."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from docs_site.repository import source_page

if TYPE_CHECKING:
    from pathlib import Path

_LANGUAGES = {
    ".go": "go",
    ".json": "json",
    ".jsonl": "json",
    ".py": "python",
    ".sh": "bash",
    ".sql": "sql",
    ".toml": "toml",
    ".yaml": "yaml",
    ".yml": "yaml",
}
"""By the end of a file's name; also which files of a directory are shown."""
_HEAD = "---\ntitle: {title}\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n# `{path}`\n\n"
_FENCE = "`" * 8  # longer than any in a file


def page_of(root: Path, path: str) -> str:
    """Answer the markdown of the page for a file or a directory."""
    head = _HEAD.format(title=posixpath.basename(path), path=path)
    return head + (_listing(root, path) if (root / path).is_dir() else _code(root / path))


def files_in(root: Path, directory: str) -> list[str]:
    """Answer the files of a directory that its page leads to: those with text to show."""
    return [f"{directory}/{entry.name}" for entry in _entries(root, directory) if _is_shown(entry)]


def _listing(root: Path, directory: str) -> str:
    lines = []
    for entry in _entries(root, directory):
        page = posixpath.relpath(source_page(f"{directory}/{entry.name}"), posixpath.dirname(source_page(directory)))
        lines.append(f"- [`{entry.name}`]({page})" if _is_shown(entry) else f"- `{entry.name}`")
    return "\n".join(lines) + "\n"


def _entries(root: Path, directory: str) -> list[Path]:
    return sorted(entry for entry in (root / directory).iterdir() if not entry.name.startswith(("__", ".")))


def _is_shown(entry: Path) -> bool:
    return entry.is_file() and entry.suffix in _LANGUAGES


def _code(file: Path) -> str:
    language = _LANGUAGES.get(file.suffix, "text")
    return f'{_FENCE} {{ .{language} linenums="1" }}\n{file.read_text(encoding="utf-8").rstrip()}\n{_FENCE}\n'
