"""One run of the job: checked, started, waited for, and accounted for at its end."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

import apache_beam as beam
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.runners.runner import PipelineState

from pipeline import drain_timeout, one_core, progress, runners, signals, start_up
from pipeline.backfill_options import with_share
from pipeline.flow import build
from pipeline.observability import observed
from pipeline.outside import Outside
from pipeline.progress_meters import meter_of
from transforms import process_wide
from transforms.consumers import GAVE_UP
from transforms.events import DOORS, EVENTS
from transforms.receive_references import SOURCES
from transforms.records import Door
from transforms.stopping import STOP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.options import Settings
    from pipeline.runners import Plan
    from pipeline.worker import Worker
    from transforms.records import Settled

log = logging.getLogger(__name__)

JOB_FAILED = 1
LEFT = 130


def run(
    settings: Settings, beam_args: Sequence[str], outside: Outside | None = None, worker: Worker | None = None
) -> int:
    """Run the job to its end and answer the exit code. Raises `UserError` before anything has started.

    `worker` speaks with the supervisor, where there is one.
    """
    plan, ended = runners.plan(with_share(settings, worker), beam_args), threading.Event()
    outside = outside or Outside.of(plan.settings)
    pipelines = worker.pipelines if worker else 1
    start_up.check(plan.settings, outside, workers_here=plan.workers_here, pipelines=pipelines)
    if plan.workers_here:
        signals.install(STOP)
        drain_timeout_s, strict = plan.settings.leases.drain_timeout_s, plan.settings.run.strict
        drain_timeout.watch(STOP, drain_timeout_s=drain_timeout_s, ended=ended, worker=worker, strict=strict)
        if not plan.settings.run.all_cores:
            one_core.keep(worker.number if worker else 0, ended)
    with observed(plan.settings, outside, worker, workers_here=plan.workers_here):
        return _run_to_the_end(plan, outside, worker, ended)


def _run_to_the_end(plan: Plan, outside: Outside, worker: Worker | None, ended: threading.Event) -> int:
    if worker:
        worker.started(STOP)
    log.info("started: %s", _described(plan.settings))
    pipelines = worker.pipelines if worker else 1
    # Elsewhere the counters are not this process's.
    meter = meter_of(plan.settings, outside.queue, ended, pipelines=pipelines) if plan.workers_here else None
    try:
        with progress.shown(meter, log_format=plan.settings.run.log_format, alone=pipelines == 1):
            return _run(plan, outside)
    except KeyboardInterrupt:  # only where signals are not ours: the workers are elsewhere
        if plan.job_here:
            log.warning("left; the job ends, and its workers give back what they hold")
            logging.shutdown()
            os._exit(LEFT)  # Beam's own job server has a thread that would keep the process
        log.warning("left; the job goes on where it runs")
        return LEFT
    except Exception:
        log.exception("the job failed")
        return JOB_FAILED
    finally:
        ended.set()
        process_wide.close_all()
        if plan.workers_here:
            log.info("stopped: %s", EVENTS.summary())
        if worker:
            worker.ended()


def _run(plan: Plan, outside: Outside) -> int:
    pipeline = beam.Pipeline(options=plan.options)
    settled = build(pipeline, plan.settings, outside)
    counts_doors = plan.settings.run.strict or not plan.workers_here
    if counts_doors:
        _ = settled | "CountDoors" >> beam.Map(_count_door)
    result = pipeline.run()
    state = result.wait_until_finish()  # some runners return from `run` at once
    if state != PipelineState.DONE:
        log.error("the job ended as %s", state)
        return JOB_FAILED
    if EVENTS.counts()[GAVE_UP]:
        return JOB_FAILED
    return _judged(plan, result) if counts_doors else 0


def _count_door(settled: Settled) -> None:
    """Count in Beam's metrics, which come back from workers elsewhere, too."""
    Metrics.counter("settled", settled.door).inc()


def _counters(result: beam.runners.runner.PipelineResult, namespace: str) -> Mapping[str, int]:
    """Answer Beam's counters; some runners have none."""
    counters = result.metrics().query(MetricsFilter().with_namespace(namespace))["counters"]
    return {counter.key.metric.name: counter.result for counter in counters}


def _judged(plan: Plan, result: beam.runners.runner.PipelineResult) -> int:
    """Answer the exit code of a job that has ended, by what its workers counted, wherever they are."""
    sources, doors = _counters(result, SOURCES), _counters(result, "settled")
    if not plan.workers_here:
        told = " + ".join(f"{doors.get(door, 0):,} {door.replace('_', ' ')}" for door in DOORS)
        log.info("stopped: %s", told if sources else "this runner does not tell what its workers counted")
    if sources.get(GAVE_UP):
        return JOB_FAILED
    if not plan.settings.run.strict:
        return 0
    if not sources:
        log.error("--strict fails the job: this runner does not tell what became of the messages")
        return JOB_FAILED
    set_aside = doors.get(Door.SET_ASIDE, 0)
    # A drain that ended by itself has received again what it returned.
    max_messages = plan.settings.receive.max_messages
    left = STOP.is_set() or (max_messages is not None and doors.get(Door.RETURNED, 0) > 0)
    if not set_aside and not left:
        return 0
    log.error("--strict fails the job: %d set aside%s", set_aside, ", and some left" if left else "")
    return JOB_FAILED


def _described(settings: Settings) -> str:
    receive, write, run = settings.receive, settings.write, settings.run
    runner = "DirectRunner (Beam's FnApiRunner, in this process)" if run.runner == "DirectRunner" else run.runner
    ends = (
        [] if receive.idle_s is None else [f"quiet for {receive.idle_s:g} s" if receive.idle_s else "nothing is left"]
    )
    where = "" if receive.replay else f" in {receive.region}"
    ends += [f"{receive.max_messages:,} messages came"] if receive.max_messages is not None else []
    return (
        f"{runner} reads {receive.queue_url}{where} until {' or '.join(ends) or 'it is stopped'}, "
        f"at most {settings.leases.max_in_flight:,} messages at once; processor {settings.process.processor}, "
        f"output {write.output}, dead letters {write.dead_letters}"
    )
