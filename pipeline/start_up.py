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
    load_functions(settings)
    if not workers_here:
        return
    check_source(settings, outside)
    outside.objects.get()
    _check_store(outside.results, "--output")
    if settings.write.dead_letters != settings.write.output:
        _check_store(outside.dead_letters, "--dead_letters")
    _warn(memory_warning(settings, pipelines))


def load_functions(settings: Settings) -> None:
    """Load the user's functions. Raises `UserError`."""
    check_processor(settings.process.processor)
    if settings.receive.notification_parser:
        load_callable(settings.receive.notification_parser, "--notification_parser")


def fifo_refusal(url: str, attributes: Mapping[str, str]) -> str:
    """Say why the queue cannot be read; empty if it is a standard queue."""
    if attributes.get("FifoQueue") != "true":
        return ""
    return f"The queue {url} is a FIFO queue; S3 notifies standard queues only, and this job reads those"


def redrive_warning(attributes: Mapping[str, str], give_up_after: int) -> str:
    """Say that SQS gives up before the job does; empty if it does not."""
    most = max_receive_count(attributes)
    if most is None or most > give_up_after:
        return ""
    return (
        f"the queue's maxReceiveCount is {most} and --give_up_after is {give_up_after}: SQS takes a failing message "
        "before this job sets it aside with a reason; make maxReceiveCount larger"
    )


def memory_warning(settings: Settings, pipelines: int) -> str:
    """Say that there is less memory than the options allow so many `pipelines`; empty if there is enough."""
    peak, available = peak_bytes(settings) * pipelines, available_bytes()
    if peak <= available:
        return ""
    in_all = f" in {pipelines} pipelines" if pipelines > 1 else ""
    return (
        f"the options allow {peak // MIB} MiB of memory at worst{in_all} and there are {available // MIB} MiB: lower "
        "--max_read_bytes, --process_concurrency or --max_in_flight"
    )


def check_source(settings: Settings, outside: Outside) -> None:
    """Ask the queue, or whatever is in its place. Raises `UserError` where asking again cannot help."""
    url = settings.receive.queue_url
    try:
        attributes = outside.queue.get().attributes()
    except QueueError as error:
        if error.permanent:
            what = url if settings.receive.backfill else f"The queue {url}"
            raise UserError(f"{what} cannot be used: {error.detail}") from error
        log.warning(
            "%s does not answer (%s); the job starts all the same and waits for it",
            "S3" if settings.receive.backfill else "SQS",
            error.detail,
        )
        return
    refusal = fifo_refusal(url, attributes)
    if refusal:
        raise UserError(refusal)
    _warn(redrive_warning(attributes, settings.receive.give_up_after))


def max_receive_count(attributes: Mapping[str, str]) -> int | None:
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


def _warn(sentence: str) -> None:
    if sentence:
        log.warning("%s", sentence)
