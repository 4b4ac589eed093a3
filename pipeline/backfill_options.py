"""The options of a backfill: what they exclude, what they mean together, and which part a process takes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pipeline.option_table import BY_NAME
from transforms import aws
from transforms.failures import UserError
from transforms.settings import BackfillSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.option_sources import Said
    from pipeline.options import Settings
    from pipeline.worker import Worker

_OF_A_QUEUE = {
    "queue_url": "no queue is read",
    "drain": "it ends by itself when nothing is left",
    "idle_s": "it ends when nothing is left",
    "replay": "recorded messages are another source",
    "notification_parser": "there are no messages to parse",
    "queue_role_arn": "no queue is asked",
}
"""What makes no sense beside a listing. Said in the environment, it is meant for other runs."""


def choose_source(values: dict[str, Any], said: Mapping[str, Said]) -> Mapping[str, Said]:
    """Replace the queue by a listing if there is to be one; answer what was said and counts. Raises `UserError`."""
    if not values["backfill"]:
        for name in ("since", "until", "dry_run"):
            if name in said and values[name]:
                raise UserError(f"{said[name].label} is {said[name].text}, but nothing is listed; add --backfill")
        return said
    listing = f"{said['backfill'].label} lists {said['backfill'].text}"
    for name, why in _OF_A_QUEUE.items():
        if name in said and said[name].label == BY_NAME[name].flag and values[name]:
            raise UserError(f"{listing} and {said[name].label} is {said[name].text}; {why}, so leave one of them out")
        values[name] = BY_NAME[name].default
    if values["receivers"] != 1:
        raise UserError(
            f"{listing} and --receivers is {values['receivers']}; each would list everything, so leave it at 1"
        )
    _check_times(values)
    _check_places(values, listing)
    values["queue_url"] = "backfill:" + ",".join(f"s3://{bucket}/{prefix}" for bucket, prefix in values["backfill"])
    return {name: what for name, what in said.items() if name not in _OF_A_QUEUE}


def backfill_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Answer the fields of `ReceiveSettings` that a backfill has its own values for."""
    if not values["backfill"]:
        return {}
    backfill = BackfillSettings(places=values["backfill"], since=values["since"], until=values["until"])
    # Its polls ask nobody, and one that is under way must not be waited for at the end.
    return {"backfill": backfill, "idle_s": 0.0, "wait_time_s": 1}


def with_share(settings: Settings, worker: Worker | None) -> Settings:
    """Give a process among several its part of the keys; each lists all of them, which costs little."""
    backfill = settings.receive.backfill
    if worker is None or backfill is None:
        return settings
    share = replace(backfill, share=(worker.number, worker.pipelines))
    return replace(settings, receive=replace(settings.receive, backfill=share))


def _check_times(values: Mapping[str, Any]) -> None:
    since, until = values["since"], values["until"]
    if since and until and since >= until:
        shown = BY_NAME["since"].shown
        raise UserError(f"--since is {shown(since)} and --until is {shown(until)}; nothing is between them")


def _check_places(values: Mapping[str, Any], listing: str) -> None:
    for name in ("output", "dead_letters"):
        bucket, below = aws.s3_place(values[name] or "") or (None, "")
        own = f"{below}/" if below else ""
        if any(place == bucket and prefix.startswith(own) for place, prefix in values["backfill"]):
            raise UserError(f"{listing} and --{name} is {values[name]}; what is under it is never processed")
    allowed = values["buckets"]
    other = next((bucket for bucket, _ in values["backfill"] if allowed and bucket not in allowed), None)
    if other is not None:
        raise UserError(
            f"{listing} and --buckets is {','.join(allowed)}; all of {other} would be set aside, so name it there"
        )
