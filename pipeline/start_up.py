"""What is looked at before the job starts. Only permanent answers refuse it; an outage is waited for."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from pipeline.memory import available_bytes, peak_bytes
from transforms.failures import QueueError, UserError, WriteFailedError
from transforms.loading import load_callable
from transforms.processing import check_processor
from transforms.settings import MIB
from transforms.stores import check_writable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.options import Settings
    from pipeline.outside import Outside
    from transforms.process_wide import ProcessWide
    from transforms.stores import Store

log = logging.getLogger(__name__)


def check(settings: Settings, outside: Outside, *, workers_here: bool, pipelines: int = 1) -> None:
    """Ask the queue and the stores, and load the user's functions. Raises `UserError`: one sentence.

    Where workers are other machines, their rights, disks and memory are not this one's, so only what holds for
    all of them is checked. So many `pipelines` share the memory of this one.
    """
    check_processor(settings.process.processor)
    if settings.receive.notification_parser:
        load_callable(settings.receive.notification_parser, "--notification_parser")
    if not workers_here:
        return
    _check_queue(settings, outside)
    _check_store(outside.results, "--output")
    if settings.write.dead_letters != settings.write.output:
        _check_store(outside.dead_letters, "--dead_letters")
    _check_memory(settings, pipelines)


def _check_queue(settings: Settings, outside: Outside) -> None:
    url = settings.receive.queue_url
    try:
        attributes = outside.queue.get().attributes()
    except QueueError as error:
        if error.permanent:
            raise UserError(f"The queue {url} cannot be used: {error.detail}") from error
        log.warning("SQS does not answer (%s); the job starts all the same and waits for it", error.detail)
        return
    if attributes.get("FifoQueue") == "true":
        raise UserError(f"The queue {url} is a FIFO queue; S3 notifies standard queues only, and this job reads those")
    most = _max_receive_count(attributes)
    if most is not None and most <= settings.receive.give_up_after:
        log.warning(
            "the queue's maxReceiveCount is %d and --give_up_after is %d: SQS takes a failing message before this job "
            "sets it aside with a reason; make maxReceiveCount larger",
            most,
            settings.receive.give_up_after,
        )


def _max_receive_count(attributes: Mapping[str, str]) -> int | None:
    """Answer after how many receives SQS moves a message to the queue's own dead-letter queue, if it has one."""
    try:
        return int(json.loads(attributes["RedrivePolicy"])["maxReceiveCount"])
    except (KeyError, TypeError, ValueError):
        return None


def _check_store(store: ProcessWide[Store], option: str) -> None:
    try:
        check_writable(store.get())
    except WriteFailedError as error:
        if error.permanent:
            raise UserError(f"{option} cannot be used: {error.detail}") from error
        log.warning("%s fails now (%s); the job starts all the same and waits for it", option, error.detail)


def _check_memory(settings: Settings, pipelines: int) -> None:
    peak, available = peak_bytes(settings) * pipelines, available_bytes()
    if peak > available:
        log.warning(
            "the options allow %d MiB of memory at worst%s and there are %d MiB: lower --max_read_bytes, "
            "--process_concurrency or --max_in_flight",
            peak // MIB,
            f" in {pipelines} pipelines" if pipelines > 1 else "",
            available // MIB,
        )
