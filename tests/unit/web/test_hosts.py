"""Whom a server on this machine answers."""

from __future__ import annotations

import pytest

from pipeline.web.hosts import is_meant


@pytest.mark.parametrize(
    "host",
    ["localhost", "localhost:9090", "LOCALHOST.", "127.0.0.1:9090", "127.8.8.8", "[::1]:9090", "status.local:1"],
)
def test_who_names_this_machine_is_answered(host: str) -> None:
    """By any of its names, and by the one that the user gave it."""
    assert is_meant(host, bound_to="127.0.0.1", address="Status.local")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9090", "localhost.evil.example", "10.0.0.1", "0.0.0.0:9090", "", "[::1"]
)
def test_a_name_that_was_bound_to_this_machine_elsewhere_is_not(host: str) -> None:
    """A page in the user's browser would ask with it."""
    assert not is_meant(host, bound_to="127.0.0.1", address="127.0.0.1")
    assert not is_meant(host, bound_to="::1", address="::1")


def test_a_probe_without_a_host_is_answered() -> None:
    """No browser leaves it out."""
    assert is_meant(None, bound_to="127.0.0.1", address="127.0.0.1")


@pytest.mark.parametrize("bound_to", ["0.0.0.0", "10.0.0.1", "::"])  # noqa: S104 - nobody listens there
def test_a_server_that_others_reach_is_asked_by_any_name(bound_to: str) -> None:
    """Nobody here knows the names of a container or a load balancer."""
    assert is_meant("status.example", bound_to=bound_to, address=bound_to)
