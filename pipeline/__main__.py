"""The command: parse, build, run. `python -m pipeline --help` says more."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

from pipeline.logs import configure, printable
from pipeline.option_table import IN_PROCESS
from pipeline.options import parse
from pipeline.supervisor import CANNOT_START, Supervisor
from pipeline.worker import Worker
from transforms.failures import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from pipeline.aggregates import View
    from pipeline.options import Settings

COMMANDS = {
    "check": "pipeline.check.command",
    "redrive": "pipeline.redrive",
    "dead_letters": "pipeline.list_dead_letters",
    "record": "pipeline.record",
    "worker_pool": "pipeline.worker_pool",
}
"""What else there is than the job: the first argument, and where its `main` is."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the arguments say and answer the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        module = COMMANDS.get(argv[0]) if argv else None
        if module:  # imported only then: a supervisor lives long, and opens no store
            return int(import_module(module).main(argv[1:], os.environ))
        return _run_job(argv)
    except UserError as error:
        sys.stderr.write(f"sqs-pipeline: {printable(str(error))}\n")
        return CANNOT_START
    except KeyboardInterrupt:  # before the job has started
        return 130


def _run_job(argv: Sequence[str]) -> int:
    settings, beam_args = parse(argv, os.environ)
    worker = Worker.of(os.environ)
    configure(settings.run.log_level, settings.run.log_format, pipeline=worker.name if worker else "")
    if settings.run.dry_run:
        from pipeline import dry_run  # noqa: PLC0415 - as below

        return dry_run.run(settings, beam_args)
    if settings.run.runner in IN_PROCESS and settings.run.pipelines and not worker:
        command = [sys.executable, "-m", "pipeline", *argv, "--pipelines=0"]
        supervisor = Supervisor(
            command,
            settings.run.pipelines,
            is_bounded=settings.is_bounded,
            drain_timeout_s=settings.leases.drain_timeout_s,
            is_observed=bool(settings.run.metrics_port),
        )
        with _served(settings, supervisor.look):
            return supervisor.run()
    from pipeline.job import run  # noqa: PLC0415 - imports Beam, a second that `--help` and a typing error need not wait

    return run(settings, beam_args, worker=worker)


def _served(settings: Settings, look: Callable[[], Sequence[View]]) -> AbstractContextManager[object]:
    """Serve the pipelines' metrics meanwhile, if that is asked for; imported only then. Raises `UserError`."""
    return import_module("pipeline.web.server").Web(settings, look) if settings.run.metrics_port else nullcontext()


if __name__ == "__main__":
    sys.exit(main())
