"""A process lets others look on: it tells its supervisor each second what it does, or serves that itself."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pipeline.aggregates import Aggregate
from pipeline.backlog import Backlog
from pipeline.snapshots import Snapshot, take_snapshot
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.aggregates import View
    from pipeline.options import Settings
    from pipeline.outside import Outside
    from pipeline.worker import Worker

TELL_EVERY_S = 1.0
LAST_WORD_S = 1.0
"""How long the end waits for a word that is being said; a supervisor that does not read must not keep it."""


@contextmanager
def observed(settings: Settings, outside: Outside, worker: Worker | None, *, workers_here: bool) -> Iterator[None]:
    """Let others look on meanwhile, if `--metrics_port` asks for it. Raises `UserError` if that cannot be."""
    if not settings.run.metrics_port:
        yield
        return
    if not workers_here:
        raise UserError(
            f"--metrics_port is {settings.run.metrics_port}, and {settings.run.runner} runs the steps elsewhere, where "
            "nobody could reach it; the same counters are among the metrics of the runner (docs/metrics.md)"
        )
    ended = threading.Event()
    take = partial(take_snapshot, Backlog(outside.queue.get(), ended).state)
    try:
        if worker:
            teller = threading.Thread(target=_tell, args=(worker, take, ended), name="tell-supervisor", daemon=True)
            teller.start()
            yield
            ended.set()
            teller.join(LAST_WORD_S)
        else:
            from pipeline.web.server import Web  # noqa: PLC0415 - and what it serves; nobody else's start waits for it

            with Web(settings, partial(_look, Aggregate(1), take)):
                yield
    finally:
        ended.set()


def _tell(worker: Worker, take: Callable[[], Snapshot], ended: threading.Event) -> None:
    while not ended.wait(TELL_EVERY_S):
        worker.tell(take())


def _look(aggregate: Aggregate, take: Callable[[], Snapshot]) -> list[View]:
    aggregate.becomes("running")
    aggregate.hear(take())
    return [aggregate.view()]
