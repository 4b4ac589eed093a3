"""What the tests of deploy/ ask of each way to run the job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.options import parse
from pipeline.supervisor import GRACE_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.options import Settings

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"


def variables_in(path: Path) -> dict[str, str]:
    """Read a file of `NAME=value` lines, as kustomize and systemd do."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def the_settings(args: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """Read them as the job does; nothing is left for Beam, to which a misspelt option would go."""
    settings, rest = parse(args, environment)

    assert [] == rest

    return settings


def has_time_to_stop(granted_s: int, settings: Settings) -> bool:
    """Whether work in hand is settled, and a worker that hangs is killed by its supervisor, before all of them are."""
    return granted_s > settings.leases.drain_timeout_s + GRACE_S
