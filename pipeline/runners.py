"""What each `--runner` needs, and what it refuses: Beam's own choices would lose data, hang, or never end here."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import dataflow, prism
from pipeline.beam_arguments import read_beam
from pipeline.option_table import IN_PROCESS
from transforms.failures import UserError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from pipeline.options import Settings

MAX_BUDGET_S = 10.0
PRISM_BUDGET_S = 5.0
PORTABLE = {"FlinkRunner", "PortableRunner", "SparkRunner"}
EMBEDDED = "embed"
"""The `--job_endpoint` of Beam's own job server, in this process: the way of a cluster without one."""

_FLINK_LOCAL = {"[local]", "[auto]"}
_SPARK_LOCAL = re.compile(r"local(\[.+\])?")


@dataclass(frozen=True, slots=True)
class Plan:
    """How the chosen runner runs the job."""

    settings: Settings
    """With what this runner needs of the source."""
    options: PipelineOptions
    workers_here: bool
    """The steps run in this process: its signals, counters, disk and memory are theirs."""
    job_here: bool = False
    """This process hands out the work, wherever the steps run: the job ends with it."""


def plan(settings: Settings, beam_args: Sequence[str]) -> Plan:
    """Decide how to run. Raises `UserError`: unknown arguments, or something this runner cannot do."""
    runner = settings.run.runner
    beam = read_beam(beam_args, passes_on=runner in PORTABLE)
    if runner in IN_PROCESS:
        return _in_process(settings, beam, beam_args)
    if runner == "PrismRunner":
        _allow_one_receiver(settings)
        prism.check_location(beam.prism_location)
        return Plan(_with_budget(settings, PRISM_BUDGET_S), _options(beam_args, prism.RUNNER), workers_here=True)
    workers_here = _is_loopback(runner, beam)
    if not workers_here:
        _refuse_private_directories(settings)
    if runner == dataflow.RUNNER:
        dataflow.check(beam, is_bounded=settings.is_bounded)
        options = _options([*beam_args, "--streaming"], runner)
        return Plan(_with_budget(settings, MAX_BUDGET_S), options, workers_here=False)
    if runner == "SparkRunner":
        _refuse_unbounded_on_spark(settings)
    if beam.job_endpoint == EMBEDDED:
        _allow_one_receiver(settings)
        return Plan(settings, _options(beam_args, runner), workers_here=workers_here, job_here=True)
    if runner == "SparkRunner":
        return Plan(settings, _options(beam_args, runner), workers_here=workers_here)
    return _on_flink(settings, beam, beam_args, workers_here=workers_here)


def _in_process(settings: Settings, beam: Namespace, beam_args: Sequence[str]) -> Plan:
    _allow_one_receiver(settings)
    workers, mode, repeat = beam.direct_num_workers, beam.direct_running_mode, beam.direct_runner_bundle_repeat
    loses = "Beam's in-process runner loses messages otherwise"
    if workers != 1:
        raise UserError(f"--direct_num_workers is {workers}; this job allows 1, because {loses}")
    if mode != "in_memory":
        raise UserError(f"--direct_running_mode is {mode}; this job allows in_memory, because {loses}")
    if repeat:
        raise UserError(
            f"--direct_runner_bundle_repeat is {repeat}; this job allows 0, because repeats delete messages"
        )
    # Beam's DirectRunner first tries to download another engine, and waits for ever behind a proxy that is silent.
    return Plan(settings, _options(beam_args, "FnApiRunner"), workers_here=True)


def _on_flink(settings: Settings, beam: Namespace, beam_args: Sequence[str], *, workers_here: bool) -> Plan:
    interval_ms = beam.checkpointing_interval
    if interval_ms is None:
        raise UserError(
            f"{settings.run.runner} needs --checkpointing_interval in milliseconds, for example "
            "--checkpointing_interval=10000; without checkpoints the first error ends the job for good"
        )
    if interval_ms < 1:
        raise UserError(f"--checkpointing_interval is {interval_ms}; Flink allows 1 or more")
    added = []
    if not beam.streaming:
        added.append("--streaming")
    if beam.max_bundle_time_mills is None:  # Flink's default of a second is the gap between two calls of the source
        added.append("--max_bundle_time_mills=100")
    if settings.is_bounded and beam.shutdown_sources_after_idle_ms is None:  # or Flink goes on when nothing is left
        added.append("--shutdown_sources_after_idle_ms=2000")
    # A checkpoint waits for the end of a running call of the source.
    budget_s = min(interval_ms / 1000 / 3, MAX_BUDGET_S)
    options = _options([*beam_args, *added], settings.run.runner)
    return Plan(_with_budget(settings, budget_s), options, workers_here=workers_here)


def _options(beam_args: Sequence[str], runner: str) -> PipelineOptions:
    return PipelineOptions([*beam_args, f"--runner={runner}"])


def _with_budget(settings: Settings, budget_s: float) -> Settings:
    return replace(settings, receive=replace(settings.receive, budget_s=budget_s))


def _is_loopback(runner: str, beam: Namespace) -> bool:
    """Whether the cluster calls back into this process; Flink and Spark do where they run inside of it, too."""
    if beam.environment_type:
        return str(beam.environment_type).upper() == "LOOPBACK"
    if runner == "FlinkRunner":
        return beam.flink_master in _FLINK_LOCAL
    return runner == "SparkRunner" and _SPARK_LOCAL.fullmatch(beam.spark_master_url) is not None


def _allow_one_receiver(settings: Settings) -> None:
    if settings.receive.receivers != 1:
        raise UserError(
            f"--receivers is {settings.receive.receivers}; {settings.run.runner} allows 1, because several would take "
            "turns in one thread"
        )


def _refuse_unbounded_on_spark(settings: Settings) -> None:
    if not settings.is_bounded:
        raise UserError(
            "SparkRunner cannot read a queue without end, because Beam has no such source for Spark; "
            "add --drain or --replay, or use FlinkRunner"
        )


def _refuse_private_directories(settings: Settings) -> None:
    for option, files in (("--replay", settings.receive.replay), ("--objects", settings.fetch.objects)):
        if files and not settings.run.shared_output:
            raise UserError(
                f"{option} is {files}, files of this machine, and the workers are others; --shared_output says that "
                "all workers see the same files"
            )
    for option, location in (("--output", settings.write.output), ("--dead_letters", settings.write.dead_letters)):
        is_local = "://" not in location or location.lower().startswith("file:")
        if is_local and not settings.run.shared_output:
            raise UserError(
                f"{option} is {location}, a directory of whichever worker writes; use s3://…, or --shared_output if "
                "all workers see the same directory"
            )
