"""`python -m pipeline worker_pool`: starts workers for a runner elsewhere, as Flink's `EXTERNAL` environment asks for.

Unlike Beam's own pool it listens to this machine alone, starts workers with this very Python, lets their log be read,
and lets them end well: on a signal, when a job is over, and when the pool itself dies.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.logs import configure
from pipeline.option_help import About
from pipeline.option_kinds import INTEGER, TEXT, Bounds, Option
from pipeline.option_sources import read_command
from pipeline.option_table import BY_NAME
from pipeline.signals import ASKING, read_signals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

PORT, BIND = 50_000, "127.0.0.1"


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """What the user asks of a pool."""

    port: int = PORT
    bind: str = BIND
    all_cores: bool = False
    log_level: str = "INFO"
    log_format: str = "text"


OWN = {
    option.name: option
    for option in (
        Option(
            "port",
            "Run",
            INTEGER,
            "Where runners ask for workers: the port of --environment_config.",
            default=PORT,
            bounds=Bounds(1, 65_535, "TCP"),
        ),
        Option(
            "bind",
            "Run",
            TEXT,
            "The address to listen at. This machine only, because whoever reaches it may run programs here.",
            default=BIND,
            metavar="ADDRESS",
        ),
    )
}
"""What the job does not have. A test of the documentation knows them from here."""

WORKER_POOL = About(
    usage="python -m pipeline worker_pool [--port=PORT] [--bind=ADDRESS]",
    description="""\
Starts worker processes for a runner elsewhere: one pool beside each task manager of Flink, for one job, with
--environment_type=EXTERNAL --environment_config=localhost:PORT. What your function imports must be installed here.""",
    epilog="""\
On SIGTERM or Ctrl-C its workers finish what is in hand and give back the rest; the job goes on elsewhere.

Exit codes: 0 stopped, 2 a mistake in one sentence.""",
)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Serve until a signal, and until all workers have ended then; answer the exit code. Raises `UserError`."""
    options = _parse(argv, environ)
    configure(options.log_level, options.log_format)
    from pipeline.pool_service import WorkerPool, serve  # noqa: PLC0415 - imports Beam, which logs

    pool = WorkerPool(options)
    with read_signals() as wake:
        server = serve(pool, options)
        asked = False
        while not (asked and pool.is_empty):
            for number in os.read(wake, 4096):
                if number in ASKING and asked:
                    os._exit(128 + number)  # as shells say it; the workers see the end of this process
                if number in ASKING:
                    asked = True
                    log.info("stopping: workers finish what is in hand; a second signal leaves at once")
                    server.stop(grace=None)
                    pool.ask_all()
            pool.reap()
    log.info("stopped")
    return 0


def _parse(argv: Sequence[str], environ: Mapping[str, str]) -> PoolOptions:
    options = [OWN.get(name) or BY_NAME[name] for name in PoolOptions.__dataclass_fields__]
    return PoolOptions(**read_command(argv, environ, options, WORKER_POOL))
