"""The status page: one file, whose own script and style are all that a browser may run or use on it."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


@cache
def status_page() -> tuple[bytes, Mapping[str, str]]:
    """Answer the page, and the headers that go with it.

    Its policy names the digest of what stands inline, so that a mistake in the page's own escaping would still run
    nothing; it asks only this server, and no other page may frame it.
    """
    page = files("pipeline.web").joinpath("status.html").read_text(encoding="utf-8")
    digests = {kind: _digest(text) for kind, text in _INLINE.findall(page)}
    policy = {
        "default-src": "'none'",
        "script-src": digests["script"],
        "style-src": digests["style"],
        "connect-src": "'self'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
    }
    return page.encode(), headers


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
