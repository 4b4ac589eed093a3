"""What a recording says of a message: the message itself, or redacted; and where its objects are then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from transforms.failures import RecordError
from transforms.notifications import AdmissionRules, parse_message
from transforms.records import ObjectRef

if TYPE_CHECKING:
    from transforms.queues import Message
    from transforms.redaction import Redaction


class NotRecordableError(RecordError):
    """A recording cannot have the message; the detail says why."""


class RecordedForm:
    """Makes it, for all messages of a recording. Not for several threads."""

    def __init__(self, rules: AdmissionRules, redaction: Redaction | None, *, queue_url: str) -> None:
        """`rules` say which objects belong to a recording."""
        self._rules = rules
        self._told_rules = replace(rules, buckets=frozenset(), key_globs=())  # buckets may have other names there
        self._redaction = redaction
        self._queue_url = queue_url

    def of(self, message: Message) -> tuple[Message, list[tuple[ObjectRef, ObjectRef]]]:
        """Answer the message to record, and each of its references: as it is in S3, and as that message says it.

        Both are what the job's own parser reads, so a replay looks for an object where it was put, whatever was
        redacted. Raises `NotRecordableError` if the redacted message does not name an object any more.
        """
        refs = self._references(message, self._rules)
        if self._redaction is None:
            return message, [(ref, ref) for ref in refs.values()]
        told = replace(message, body=self._redaction.redact(message.body))
        told_refs = self._references(told, self._told_rules)
        if refs.keys() - told_refs.keys():
            raise NotRecordableError("redacted, it would not name its objects any more; record it without --redact")
        return told, [(ref, told_refs[index]) for index, ref in refs.items()]

    def _references(self, message: Message, rules: AdmissionRules) -> dict[int, ObjectRef]:
        """Answer what the job would fetch, by the index of the record."""
        now = datetime.now(UTC)
        outcomes = parse_message(message, queue_url=self._queue_url, received_at=now, rules=rules)
        return {each.index: each for each in outcomes if isinstance(each, ObjectRef)}
