"""Options that a page names lead to their description."""

from __future__ import annotations

import pytest

from docs_site.option_links import with_option_links

LINK = '<a href="options.html#--idle_s">--idle_s'


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<code>--idle_s</code>", f"<code>{LINK}</a></code>"),
        ("<code>run --idle_s=5 x</code>", f"<code>run {LINK}=5</a> x</code>"),
        ("<code>--idle_s --idle_s=2</code>", f"<code>{LINK}</a> {LINK}=2</a></code>"),
        ("<code>--idle_s-more --no</code>", "<code>--idle_s-more --no</code>"),
        ("<h2><code>--idle_s</code></h2>", "<h2><code>--idle_s</code></h2>"),
        ('<a href="x"><code>--idle_s</code></a>', '<a href="x"><code>--idle_s</code></a>'),
        ("<code><span>--idle_s</span></code>", "<code><span>--idle_s</span></code>"),
    ],
)
def test_an_option_between_backticks_is_a_link(html: str, expected: str) -> None:
    """With its value; not in a heading, in another link, or in a block of code."""
    assert expected == with_option_links(html, {"--idle_s"}, "options.html")
