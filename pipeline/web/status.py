"""What the status page shows, as `/status.json`: the pipelines together and one by one, and what needs a person."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict
from urllib.parse import quote

from pipeline.snapshots import AREAS
from pipeline.web.figures import Figures, figures_of
from pipeline.web.health import OUTAGES, wrong_with_life, wrong_with_work
from transforms.failures import OUTSIDE_KINDS
from transforms.outages import area_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.aggregates import View
    from pipeline.backlog import QueueState
    from pipeline.options import Settings
    from pipeline.web.history import History

FAILURES_TOLD = 20
OLDEST_TOLD = 10

Condition = Literal["starting", "running", "quiet", "waiting", "outage", "trouble", "stopping", "ended"]
"""`waiting`: nothing was ever received. `quiet`: something was, and nothing is in flight or waits. `trouble`: SQS gives
no messages, or a pipeline stands still."""


class Outage(TypedDict):
    """What the outage guard pauses for."""

    what: str
    """`reading objects` or `writing results`."""
    lasted_s: float
    pipelines: list[int]
    last: str | None
    """What failed last for such a reason."""


class Status(TypedDict):
    """Everything, at one moment."""

    at: float
    """Seconds since 1970, by this machine's clock."""
    condition: Condition
    faults: list[str]
    """Sentences: what `/readyz` says."""
    outages: list[Outage]
    job: dict[str, Any]
    """The options that give the numbers their meaning."""
    queue: dict[str, Any] | None
    """What it said last, how long ago, and the longest wait in it; None if it does not say."""
    all: Figures
    pipelines: list[dict[str, Any]]
    """Number, state, crashes, vitals, and `figures` as in `all`."""
    oldest: list[dict[str, Any]]
    """The messages longest in flight, with the number of their pipeline."""
    failures: list[dict[str, Any]]
    """The last ones, the newest first, with the URL of their dead letter."""


def status_of(views: Sequence[View], history: History, settings: Settings, *, now: float | None = None) -> Status:
    """Answer everything; `now` is in seconds since 1970."""
    now = time.time() if now is None else now
    figures = figures_of([(view, history.lately(view.number)) for view in views], settings)
    faults = wrong_with_work(views, wait_time_s=settings.receive.wait_time_s)
    outages, queue = _outages(views), _queue(views, now)
    return {
        "at": now,
        "condition": _condition(views, figures, faults=bool(faults), waits=bool(queue and queue["visible"])),
        "faults": faults,
        "outages": outages,
        "job": _job(settings),
        "queue": queue,
        "all": figures,
        "pipelines": [_pipeline(view, history, settings) for view in views],
        "oldest": _oldest(views),
        "failures": _failures(views, settings.write.dead_letters),
    }


def _condition(views: Sequence[View], figures: Figures, *, faults: bool, waits: bool) -> Condition:
    """Say in a word how it is; what needs a person comes first."""
    vitals = [view.snapshot["vitals"] for view in views if view.snapshot]
    has_begun = any(vital["answered_s"] is not None or vital["trouble"] is not None for vital in vitals)
    conditions: dict[Condition, bool] = {
        "ended": all(view.state == "ended" for view in views),
        "stopping": any(vital["stopping"] for vital in vitals),
        "outage": any(view.snapshot["outage"] for view in views if view.snapshot),
        "trouble": bool(wrong_with_life(views)) or (faults and has_begun),
        "starting": not has_begun,
        "waiting": not figures["counts"]["received"],
        "running": waits or figures["in_flight"]["messages"] > 0,
    }
    return next((condition for condition, is_so in conditions.items() if is_so), "quiet")


def _job(settings: Settings) -> dict[str, Any]:
    return {
        "queue_url": settings.receive.queue_url,
        "processor": settings.process.processor,
        "output": settings.write.output,
        "dead_letters": settings.write.dead_letters,
        "max_in_flight": settings.leases.max_in_flight,
        "fetch_concurrency": settings.fetch.concurrency,
        "process_concurrency": settings.process.concurrency,
        "give_up_after": settings.write.give_up_after,
        "pipelines": max(1, settings.run.pipelines),
    }


def _outages(views: Sequence[View]) -> list[Outage]:
    found: dict[str, Outage] = {}
    for view in views:
        for area, lasted_s in view.snapshot["outage"].items() if view.snapshot else ():
            outage = found.setdefault(area, {"what": OUTAGES[area], "lasted_s": 0.0, "pipelines": [], "last": None})
            outage["lasted_s"] = max(outage["lasted_s"], lasted_s)
            outage["pipelines"].append(view.number)
            outage["last"] = _last_reason(view, area) or outage["last"]
    return list(found.values())


def _last_reason(view: View, area: str) -> str | None:
    kinds = {kind for kind in OUTSIDE_KINDS if AREAS[area_of(kind)] == area}
    return next((f"{f['kind']}: {f['detail']}" for f in reversed(view.failures) if f["kind"] in kinds), None)


def _queue(views: Sequence[View], now: float) -> dict[str, Any] | None:
    """Believe whoever asked last: all ask the same queue."""
    states: list[QueueState] = [view.snapshot["queue"] for view in views if view.snapshot and view.snapshot["queue"]]
    if not states:
        return None
    newest = max(states, key=lambda state: state["at"])
    waits = [view.snapshot["tally"]["longest_wait_s"] for view in views if view.snapshot]
    longest_s = max((wait for wait in waits if wait is not None), default=None)
    return {**newest, "asked_s": max(0.0, now - newest["at"]), "longest_wait_s": longest_s}


def _pipeline(view: View, history: History, settings: Settings) -> dict[str, Any]:
    return {
        "number": view.number,
        "state": view.state,
        "state_s": view.state_s,
        "crashes": view.crashes,
        "heard_s": view.heard_s,
        "vitals": view.snapshot["vitals"] if view.snapshot else None,
        "figures": figures_of([(view, history.lately(view.number))], settings),
    }


def _oldest(views: Sequence[View]) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [
        {**message, "age_s": message["age_s"] + view.heard_s, "pipeline": view.number}
        for view in views
        if view.snapshot
        for message in view.snapshot["in_flight"]["oldest"]
    ]
    return sorted(told, key=lambda message: -message["age_s"])[:OLDEST_TOLD]


def _failures(views: Sequence[View], dead_letters: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [
        {
            **failure,
            "pipeline": view.number,
            "dead_letter": failure["dead_letter"] and _url(dead_letters, failure["dead_letter"]),
        }
        for view in views
        for failure in reversed(view.failures)
    ]
    return sorted(told, key=lambda failure: -failure["at"])[:FAILURES_TOLD]


def _url(location: str, name: str) -> str:
    """Say where a dead letter is: `file://` in a directory, else the store's own."""
    if "://" in location:
        return f"{location.rstrip('/')}/{quote(name) if location.startswith('file:') else name}"
    return (Path(location).expanduser().absolute() / name).as_uri()
