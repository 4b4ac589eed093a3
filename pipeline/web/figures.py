"""Numbers of the flow, of one pipeline or of all: what was counted, how fast, how long it takes, what is in flight."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypedDict

from transforms.histograms import added
from transforms.metric_table import BY_SOURCE
from transforms.records import Door

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.aggregates import View
    from pipeline.options import Settings
    from pipeline.web.history import Lately
    from transforms.histograms import Observed

EVENTS = {
    "received": ("received",),
    "fetched": ("fetched",),
    "processed": ("processed",),
    "written": ("stored_records", "set_aside_records"),
    "settled": tuple(Door),
    **{door.value: (door.value,) for door in Door},
    "fetched_bytes": ("fetched_bytes",),
    "inflated_bytes": ("inflated_bytes",),
}
"""What is told, and which events of `Tally` it is the sum of."""
USUALLY = 0.95


class Duration(TypedDict):
    """How long something took in the last minute."""

    mean_s: float
    most_s: float | None
    """95 of 100 took no longer, to the next bound of the histogram; None if that is over its last."""


class Held(TypedDict):
    """What is in flight."""

    messages: int
    bytes: int
    stages: dict[str, int]


class Figures(TypedDict):
    """The flow, at one moment."""

    counts: dict[str, int]
    rates: dict[str, float] | None
    """A second, in the last ten; None until that is known."""
    kinds: dict[str, dict[str, int]]
    """By door: why."""
    durations: dict[str, Duration]
    """Of what happened in the last minute."""
    busy: dict[str, float]
    """The share of the last minute that the threads of `fetch` and `process` spent on what they finished: 0 to 1."""
    in_flight: Held
    finished: list[float]
    """Messages a second in the last minutes, the newest last."""
    failed: list[float]


def figures_of(told: Sequence[tuple[View, Lately]], settings: Settings) -> Figures:
    """Add up what these pipelines tell."""
    counts: Counter[str] = Counter()
    observed: dict[str, Observed] = {}
    for view, lately in told:
        counts.update(view.counts)
        for name, values in lately.observed.items():
            observed[name] = added(observed.get(name), values)
    known = [lately.rates for _, lately in told if lately.rates is not None]
    return {
        "counts": {name: sum(counts[event] for event in events) for name, events in EVENTS.items()},
        "rates": _rates(known) if known else None,
        "kinds": {door.value: _kinds(counts, door) for door in Door if door is not Door.STORED},
        "durations": {name: _duration(name, values) for name, values in observed.items() if any(values["counts"])},
        "busy": _busy(observed, sum(lately.over_s for _, lately in told), settings),
        "in_flight": _in_flight([view for view, _ in told]),
        "finished": _together([lately.finished for _, lately in told]),
        "failed": _together([lately.failed for _, lately in told]),
    }


def _rates(known: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {
        name: round(sum(rates.get(event, 0.0) for rates in known for event in events), 3)
        for name, events in EVENTS.items()
    }


def _kinds(counts: Mapping[str, int], door: Door) -> dict[str, int]:
    begins = f"{door.value}/"
    return {event.removeprefix(begins): count for event, count in counts.items() if event.startswith(begins) and count}


def _duration(name: str, observed: Observed) -> Duration:
    total, so_far, most_s = sum(observed["counts"]), 0, None
    for bound, count in zip(BY_SOURCE[name].bounds, observed["counts"], strict=False):  # the last has no bound
        so_far += count
        if so_far >= USUALLY * total:
            most_s = bound
            break
    return {"mean_s": max(0.0, observed["sum"]) / total, "most_s": most_s}


def _busy(observed: Mapping[str, Observed], over_s: float, settings: Settings) -> dict[str, float]:
    threads = {"fetch": settings.fetch.concurrency, "process": settings.process.concurrency}
    if not over_s:
        return {}
    return {
        name: round(min(1.0, max(0.0, observed[name]["sum"]) / over_s / count), 4)
        for name, count in threads.items()
        if name in observed
    }


def _in_flight(views: Sequence[View]) -> Held:
    stages: Counter[str] = Counter()
    held = [view.snapshot["in_flight"] for view in views if view.snapshot]
    for in_flight in held:
        stages.update(in_flight["stages"])
    return {
        "messages": sum(in_flight["messages"] for in_flight in held),
        "bytes": sum(in_flight["bytes"] for in_flight in held),
        "stages": dict(stages),
    }


def _together(series: Sequence[Sequence[float]]) -> list[float]:
    """Add up what was at the same moment: all end now, and some began later."""
    length = max((len(values) for values in series), default=0)
    padded = [[0.0] * (length - len(values)) + list(values) for values in series]
    return [round(sum(values), 2) for values in zip(*padded, strict=True)]
