"""The story of a message, from the queue to its result. Start reading here.

    ReceiveReferences ──▶ FetchObjects ──▶ ProcessObjects ──▶ WriteAndAcknowledge
     SQS long poll,        GETs in a        the user's          store the result or the dead letter,
     parse, admit by       bounded pool,    function            then delete, or give back
     count and bytes       gunzip                               with a delay

One linear chain of ParDos: nothing stands between the source and the acknowledgement that a runner could hold back.
Failures travel down the same river. Each step maps its own input and passes everything else through untouched: a
corrupt object leaves `FetchObjects` as a `Failure`, flows past `ProcessObjects`, and the last step stores its dead
letter. Only when every record of a message is stored, set aside or ignored is the message deleted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.outside import Outside
from transforms.fetch_objects import FetchObjects
from transforms.process_objects import ProcessObjects
from transforms.receive_references import ReceiveReferences
from transforms.write_and_acknowledge import WriteAndAcknowledge

if TYPE_CHECKING:
    import apache_beam as beam

    from pipeline.options import Settings
    from transforms.records import Settled


def build(root: beam.Pipeline, settings: Settings, outside: Outside | None = None) -> beam.PCollection[Settled]:
    """Build the whole job; `outside` replaces AWS and the output, for tests."""
    outside = outside or Outside.of(settings)
    consumer = outside.consumer(settings)

    # Messages are held by a lease, extended until their fate is told to SQS.
    references = root | ReceiveReferences(settings.receive, consumer, bounded=settings.is_bounded)
    # A message received before may be done already: the result's name says so.
    fetched = references | FetchObjects(settings.fetch, objects=outside.objects, results=outside.results)
    write = WriteAndAcknowledge(settings.write, consumer, results=outside.results, dead_letters=outside.dead_letters)
    # A call that hangs hands nothing on, and its worker ends: what it was about is settled out of turn.
    processed = fetched | ProcessObjects(settings.process, write.last_word)
    return processed | write
