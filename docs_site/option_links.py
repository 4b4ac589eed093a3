"""Options that a page names lead to their description."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

_KEPT_OR_CODE = re.compile(r"<(a|h[1-6])\b.*?</\1>|<code>(?P<code>[^<]*)</code>", re.DOTALL)
_OPTION = re.compile(r"(?<![\w-])(--[a-z0-9_]+)(?![\w-])(=[^\s<]*)?")


def with_option_links(html: str, known: Collection[str], to: str) -> str:
    """Make each `known` option between backticks a link to its anchor on the page `to`; headings and links stay."""

    def linked(option: re.Match[str]) -> str:
        return f'<a href="{to}#{option[1]}">{option[0]}</a>' if option[1] in known else option[0]

    def replaced(match: re.Match[str]) -> str:
        return f"<code>{_OPTION.sub(linked, match['code'])}</code>" if match["code"] else match[0]

    return _KEPT_OR_CODE.sub(replaced, html)
