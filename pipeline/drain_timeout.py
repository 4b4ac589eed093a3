"""The end of a stop: what is still in hand after `--drain_timeout_s` is left, and its messages come back by themselves.

The source ends in time by itself, unless the user's function sits in the bundle's thread. No thread can be interrupted,
so then the process leaves, with its account and exit code 0: it was asked to stop, and nothing is lost. With
`--strict` it is 1, since some is left.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from transforms import process_wide
from transforms.events import EVENTS

if TYPE_CHECKING:
    from pipeline.worker import Worker

log = logging.getLogger(__name__)

GRACE_S = 1.0
"""For the source to end by itself first."""
CLOSE_S = 3.0
"""For the last acknowledgements; a processor's `close` may hang as its call does."""


def watch(
    stop: threading.Event,
    *,
    drain_timeout_s: float,
    ended: threading.Event,
    worker: Worker | None = None,
    strict: bool = False,
) -> None:
    """Begin to watch: leave if `ended` is not set within `drain_timeout_s` after `stop`; `worker` gives the account."""
    arguments = (stop, drain_timeout_s, ended, worker, strict)
    threading.Thread(target=_run, args=arguments, name="drain-timeout", daemon=True).start()


def _run(
    stop: threading.Event,
    drain_timeout_s: float,
    ended: threading.Event,
    worker: Worker | None,
    strict: bool,  # noqa: FBT001 - a thread's arguments
) -> None:
    stop.wait()
    if ended.wait(drain_timeout_s + GRACE_S):
        return
    log.warning("work is still in hand after --drain_timeout_s of %g s; its messages come back", drain_timeout_s)
    closing = threading.Thread(target=process_wide.close_all, name="close", daemon=True)
    closing.start()
    closing.join(CLOSE_S)
    if strict:
        log.error("--strict fails the job: some left")
    log.info("stopped: %s", EVENTS.summary())
    if worker:
        worker.ended()
    logging.shutdown()
    os._exit(1 if strict else 0)
