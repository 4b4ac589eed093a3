"""Whether the job is alive, and whether it is ready: sentences about what is wrong, none if nothing is.

Alive is a question about this program: no means that starting it again may help. Ready is one about what is around it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.aggregates import View
    from pipeline.snapshots import Vitals

START_S = 120.0
"""How long a process may take to import Beam and to ask whether anything refuses the job."""
HEARD_S = 60.0
"""A process says what it does each second. One that has not for so long stands still as a whole."""
MOVES_S = 30.0
"""Beam's thread asks for work every 20 ms, at most 10 seconds apart on a runner that interrupts it."""
ANSWER_GRACE_S = 5.0
"""Beside two long polls: connections, and the pause after an error."""
OUTAGES = {"source": "reading objects", "output": "writing results"}


def wrong_with_life(views: Sequence[View]) -> list[str]:
    """Say which pipelines stand still; one that was ended, or starts again, does not."""
    return [f"pipeline {view.number} {fault}" for view in views if (fault := _stands_still(view))]


def wrong_with_work(views: Sequence[View], *, wait_time_s: float) -> list[str]:
    """Say why nothing can be processed now; `wait_time_s` is that of a long poll.

    Pipelines that start, or start again, do not count while another one runs.
    """
    running = [
        (view.number, view.snapshot["vitals"], view.snapshot["outage"])
        for view in views
        if view.snapshot and _has_begun(view.snapshot["vitals"])
    ]
    if not running:
        again = [f"pipeline {view.number} crashed and starts again" for view in views if view.crashes]
        return again or ["SQS has not answered yet"]
    faults = [
        f"pipeline {number}: {fault}"
        for number, vitals, outage in running
        for fault in (_cannot_receive(vitals, wait_time_s), *map(_described_outage, outage.items()))
        if fault
    ]
    return faults + wrong_with_life(views)


def _stands_still(view: View) -> str | None:
    if view.state in {"restarting", "ended"}:
        return None
    if view.state == "starting":
        return f"has not started for {view.state_s:.0f} s" if view.state_s > START_S else None
    if view.heard_s > HEARD_S:
        return f"has said nothing for {view.heard_s:.0f} s"
    if view.snapshot is None:
        return None
    vitals = view.snapshot["vitals"]
    idle_s = vitals["flow_idle_s"]
    # A long call of the user's function in Beam's own thread is work; --max_processing_s ends the process past it.
    if idle_s is None or vitals["in_function_s"] is not None or idle_s <= MOVES_S:
        return None
    return f"has not moved for {idle_s:.0f} s"


def _has_begun(vitals: Vitals) -> bool:
    """Whether SQS has answered it, well or badly, or it is at its end."""
    return vitals["answered_s"] is not None or vitals["trouble"] is not None or vitals["stopping"]


def _cannot_receive(vitals: Vitals, wait_time_s: float) -> str | None:
    if vitals["stopping"]:
        return "it is stopping"
    answered_s, trouble = vitals["answered_s"], vitals["trouble"]
    if trouble is None:
        return None
    patience_s = 2 * wait_time_s + ANSWER_GRACE_S
    if vitals["trouble_is_permanent"] or answered_s is None or answered_s > patience_s:
        return f"SQS gives no messages: {trouble}"
    return None


def _described_outage(outage: tuple[str, float]) -> str:
    area, seconds = outage
    return f"{OUTAGES[area]} fails for every message, since {seconds:.0f} s"
