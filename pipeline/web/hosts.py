"""Whom a server on this machine answers: a web page elsewhere must not read it through the user's own browser.

A page can give its name the address 127.0.0.1 once it is loaded (DNS rebinding), and then asks this server as if it
were its own. The browser still sends that name as `Host`, which is how it is told from who means this machine.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_meant(host: str | None, *, bound_to: str, address: str) -> bool:
    """Whether a request with this `Host` is meant for a server at `bound_to`, which the user called `address`.

    One that others may reach is asked by names that nobody here knows, and answers them all. Browsers always send a
    `Host`; a simple probe may not.
    """
    if host is None or not _is_loopback(bound_to):
        return True
    try:
        name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
    except ValueError:
        return False
    return name in {"localhost", address.lower()} or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
