"""The four steps in a Beam pipeline of your own: results are stored as ever, and messages are counted by bucket.

    python examples/count_by_bucket.py --queue_url=… --runner=PrismRunner --prism_location=…
    python examples/count_by_bucket.py --queue_url=… --drain

Every ten seconds a line on standard output for each bucket. On Prism, as on Flink, a window ends while the queue goes
on: the source's watermark follows its oldest open message. DirectRunner counts when the drain has ended: it holds back
what stands behind a grouping until then, and only that. The results themselves are stored at once either way.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.transforms.window import FixedWindows

from pipeline import runners, signals
from pipeline.logs import configure
from pipeline.options import parse
from pipeline.outside import Outside
from transforms import FetchObjects, ProcessObjects, ReceiveReferences, WriteAndAcknowledge, process_wide
from transforms.failures import UserError
from transforms.stopping import STOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.options import Settings
    from transforms.records import Settled

WINDOW_S = 10


def settle(root: beam.Pipeline, settings: Settings) -> beam.PCollection[Settled]:
    """Do what the job does; instead of these five lines, `pipeline.flow.build(root, settings)` would do."""
    outside = Outside.of(settings)  # the queue, S3 and the stores; one of each in a process
    consumer = outside.consumer(settings)
    write = WriteAndAcknowledge(settings.write, consumer, results=outside.results, dead_letters=outside.dead_letters)
    return (
        root
        | ReceiveReferences(settings.receive, consumer, bounded=settings.is_bounded)
        | FetchObjects(settings.fetch, objects=outside.objects, results=outside.results)
        | ProcessObjects(settings.process, write.last_word)
        | write
    )


def count(settled: beam.PCollection[Settled]) -> beam.PCollection[str]:
    """Count messages by bucket and window, as lines of JSON. Whatever happens here, the messages are settled."""
    return (
        settled
        | "Buckets" >> beam.FlatMap(lambda one: one.buckets)
        | "Windows" >> beam.WindowInto(FixedWindows(WINDOW_S))
        | "Count" >> beam.combiners.Count.PerElement()
        | "Line" >> beam.Map(_line)
    )


def _line(counted: tuple[str, int], window: Any = beam.DoFn.WindowParam) -> str:  # noqa: ANN401 - Beam's
    bucket, messages = counted
    return json.dumps({"until": window.end.to_utc_datetime().isoformat(), "bucket": bucket, "messages": messages})


def main(argv: Sequence[str]) -> int:
    """Run it with the options of the job; SIGTERM or Ctrl-C ends it as they end the job."""
    try:
        settings, beam_args = parse(argv, os.environ)
        plan = runners.plan(settings, beam_args)  # what the runner needs of the source
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    configure(settings.run.log_level, settings.run.log_format)
    signals.install(STOP)
    try:
        with beam.Pipeline(options=plan.options) as root:
            _ = count(settle(root, plan.settings)) | "Print" >> beam.Map(print, flush=True)
    finally:
        process_wide.close_all()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
