"""`--dry_run`: how much a backfill would do. It lists, filters and asks the ledger as the job does, no more."""

from __future__ import annotations

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pipeline import progress, runners, start_up
from pipeline.outside import Outside
from pipeline.progress_meters import Listed
from transforms import process_wide
from transforms.events import EVENTS
from transforms.failures import FinishedKind, QueueError, UserError, WriteFailedError
from transforms.fetching import Fetcher
from transforms.notifications import AdmissionRules, parse_message
from transforms.queues import SQS_MAX_BATCH, SQS_MAX_VISIBILITY_S, Receipt
from transforms.records import ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.options import Settings
    from transforms.queues import Message, Queue
    from transforms.records import Failure, Finished

BATCH = 1000
"""Messages whose results are looked for together."""
TO_DO = "to_process"

_ROWS = {
    "listed": "",
    FinishedKind.FILTERED: "by --key_glob, or under the job's own output",
    FinishedKind.ALREADY_FINISHED: "have a result",
    TO_DO: "",
}


def run(settings: Settings, beam_args: Sequence[str], outside: Outside | None = None) -> int:
    """Count, write the sums, and answer the exit code. Raises `UserError`: nothing can be listed, or no ledger read."""
    runners.plan(settings, beam_args)  # it refuses what the job itself would
    outside = outside or Outside.of(settings)
    queue = outside.queue.get()
    start_up.check_source(settings, outside)
    objects: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    judge = _Judge(settings, outside)
    try:
        with (
            progress.shown(Listed(lambda _: objects["listed"]), log_format=settings.run.log_format),
            ThreadPoolExecutor(settings.fetch.concurrency) as pool,
        ):
            for batch in _batches(queue):
                for kind, size in pool.map(judge, batch):
                    for name in ("listed", kind):
                        objects[name] += 1
                        sizes[name] += size
    except QueueError as error:
        raise UserError(f"{settings.receive.queue_url} cannot be listed: {error.detail}") from error
    except WriteFailedError as error:
        raise UserError(f"--output cannot be asked for results: {error.detail}") from error
    finally:
        process_wide.close_all()
    sys.stdout.write(_as_json(objects, sizes) if settings.run.log_format == "json" else _as_text(objects, sizes))
    return 0


class _Judge:
    """Says of a message what the job would do, and of how many bytes it speaks."""

    def __init__(self, settings: Settings, outside: Outside) -> None:
        self._queue_url = settings.receive.queue_url
        self._rules = AdmissionRules.of(settings.receive)
        self._fetcher = Fetcher(settings.fetch, connect=outside.objects.get, results=outside.results.get())

    def __call__(self, message: Message) -> tuple[str, int]:
        """Raise `WriteFailedError` if the ledger cannot be read."""
        (outcome,) = parse_message(message, queue_url=self._queue_url, received_at=message.sent_at, rules=self._rules)
        size = outcome.size if isinstance(outcome, ObjectRef) else outcome.ref and outcome.ref.size
        return self._kind(outcome), size or 0

    def _kind(self, outcome: ObjectRef | Finished | Failure) -> str:
        if not isinstance(outcome, ObjectRef):
            return outcome.kind
        return FinishedKind.ALREADY_FINISHED if self._fetcher.is_finished(outcome) else TO_DO


def _batches(queue: Queue) -> Iterator[list[Message]]:
    """Take everything out of the queue."""
    batch: list[Message] = []
    while queue.has_more():
        received = queue.receive(max_messages=SQS_MAX_BATCH, wait_s=1, visibility_timeout_s=SQS_MAX_VISIBILITY_S)
        queue.delete([Receipt(message.message_id, message.receipt_handle) for message in received])
        batch += received
        if len(batch) >= BATCH or not received:
            yield batch
            batch = []
    yield batch


def _as_text(objects: Counter[str], sizes: Counter[str]) -> str:
    lines = [f"{'':<18}{'objects':>15}{'bytes':>22}"]
    for name, meaning in _ROWS.items():
        label = name.replace("_", " ")
        lines.append(f"{label:<18}{objects[name]:>15,}{sizes[name]:>22,}  {meaning}".rstrip())
    counts = EVENTS.counts()
    lines.append(
        f"Not counted: {counts['directory_markers']:,} directory markers, {counts['outside_time']:,} objects outside "
        "--since and --until."
    )
    if counts["listed_archived"]:
        lines.append(
            f"{counts['listed_archived']:,} of the listed are in an archive class: what is not restored is set aside."
        )
    return "\n".join(lines) + "\n"


def _as_json(objects: Counter[str], sizes: Counter[str]) -> str:
    sums: dict[str, object] = {name: {"objects": objects[name], "bytes": sizes[name]} for name in _ROWS}
    counts = EVENTS.counts()
    return json.dumps(sums | {name: counts[name] for name in _COUNTED}) + "\n"


_COUNTED = ("directory_markers", "outside_time", "listed_archived")
