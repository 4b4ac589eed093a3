"""From a message to its records: references to objects to process, and what is to be said of the rest.

Pure: no Beam, no AWS. `envelopes.py` knows the formats and `untrusted.py` checks the values; here are the rules of
what to let in, and the user's own parser (`--notification_parser`) for messages of other formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from transforms.envelopes import Contents, nothing_to_do, open_body
from transforms.error_text import described, traceback_text
from transforms.failures import BucketNotAllowedError, FinishedKind, UnreadableNotificationError
from transforms.loading import load_callable
from transforms.records import Delivery, Failure, Finished, ObjectRef
from transforms.untrusted import checked_ref, shown

if TYPE_CHECKING:
    from datetime import datetime

    from transforms.queues import Message
    from transforms.settings import ReceiveSettings

Parser: TypeAlias = Callable[[str], Iterable[Mapping[str, Any]] | None]
"""From a message body to one mapping for each object, with the fields `PARSER_FIELDS`; None leaves it to the rules."""

PARSER_FIELDS = ("bucket", "key", "version_id", "etag", "size", "region", "event_time")
"""`bucket` and `key` (not encoded) are needed; `event_time` is a datetime or ISO 8601."""


@dataclass(frozen=True, slots=True)
class AdmissionRules:
    """What is let in, and who reads the message first."""

    buckets: frozenset[str] = frozenset()
    """Empty allows all."""
    key_globs: tuple[str, ...] = ()
    """Empty lets every key in."""
    own_prefixes: tuple[tuple[str, str], ...] = ()
    """(bucket, key prefix) of our own outputs: the job must not feed itself."""
    parser: Parser | None = None
    parser_name: str = ""
    """As on the command line, for sentences."""

    @classmethod
    def of(cls, settings: ReceiveSettings) -> AdmissionRules:
        """Take the rules out of the settings and load the parser. Raises `UserError`."""
        spec = settings.notification_parser
        return cls(
            buckets=frozenset(settings.buckets),
            key_globs=settings.key_globs,
            own_prefixes=settings.own_prefixes,
            parser=load_parser(spec) if spec else None,
            parser_name=spec or "",
        )


def load_parser(spec: str) -> Parser:
    """Load the function that `--notification_parser=module:function` names. Raises `UserError`."""
    return cast("Parser", load_callable(spec, "--notification_parser"))


def parse_message(
    message: Message, *, queue_url: str, received_at: datetime, rules: AdmissionRules
) -> list[ObjectRef | Finished | Failure]:
    """Say what each record of a message is, in order; they share one delivery. Never raises, whatever the body."""
    try:
        contents = _ask_parser(rules, message.body) or open_body(message.body)
    except UnreadableNotificationError as error:
        return [_unreadable(_delivery(message, queue_url, received_at, records=1), 0, error)]
    delivery = _delivery(message, queue_url, received_at, records=len(contents.records))
    return [_outcome(record, delivery, index, contents, rules) for index, record in enumerate(contents.records)]


def _delivery(message: Message, queue_url: str, received_at: datetime, *, records: int) -> Delivery:
    return Delivery(
        queue_url=queue_url,
        message_id=message.message_id,
        receipt_handle=message.receipt_handle,
        receive_count=message.receive_count,
        sent_at=message.sent_at,
        received_at=received_at,
        body=message.body,
        records=records,
    )


def _outcome(
    record: object, delivery: Delivery, index: int, contents: Contents, rules: AdmissionRules
) -> ObjectRef | Finished | Failure:
    try:
        read = contents.read(record, delivery, index)
    except UnreadableNotificationError as error:
        return _unreadable(delivery, index, error)
    if isinstance(read, FinishedKind):
        return Finished(delivery, index, read)
    return _admitted(read, rules)


def _admitted(ref: ObjectRef, rules: AdmissionRules) -> ObjectRef | Finished | Failure:
    # Our own outputs come first: their bucket need not be in the allow-list, and setting them aside would write more.
    if any(ref.bucket == bucket and ref.key.startswith(prefix) for bucket, prefix in rules.own_prefixes):
        return Finished(ref.delivery, ref.index, FinishedKind.FILTERED, ref)
    if rules.buckets and ref.bucket not in rules.buckets:
        return Failure.of(ref, BucketNotAllowedError(f"bucket {ref.bucket} is not among --buckets"))
    if rules.key_globs and not any(fnmatchcase(ref.key, glob) for glob in rules.key_globs):
        return Finished(ref.delivery, ref.index, FinishedKind.FILTERED, ref)
    return ref


class _ParserError(UnreadableNotificationError):
    """The user's parser raised."""


def _unreadable(delivery: Delivery, index: int, error: UnreadableNotificationError) -> Failure:
    failure = replace(Failure.of(delivery, error), index=index)
    if not isinstance(error, _ParserError):
        return failure
    return replace(failure, traceback=traceback_text(error.__cause__ or error))


def _ask_parser(rules: AdmissionRules, body: str) -> Contents | None:
    if rules.parser is None:
        return None
    name = rules.parser_name
    try:
        answer = rules.parser(body)
        # The copies are made here, where what the user's iterators and mappings raise is caught.
        records = [dict(each) if isinstance(each, Mapping) else each for each in answer or ()]
    except (Exception, SystemExit) as error:
        raise _ParserError(f"--notification_parser {name} raised {described(error)}") from error
    if answer is None:
        return None
    if isinstance(answer, str | bytes | Mapping):
        raise UnreadableNotificationError(
            f"--notification_parser {name} answered {shown(answer)}, not a list of mappings"
        )
    return Contents(records, partial(_read_parsed, name)) if records else Contents([answer], nothing_to_do)


def _read_parsed(name: str, record: object, delivery: Delivery, index: int) -> ObjectRef:
    said = f"--notification_parser {name} answered"
    if not isinstance(record, dict):
        raise UnreadableNotificationError(f"{said} {shown(record)} for an object")
    # A misspelt version_id must not quietly fetch another version.
    unknown = next((field for field in record if field not in PARSER_FIELDS), None)
    if unknown is not None:
        known = ", ".join(PARSER_FIELDS)
        raise UnreadableNotificationError(f"{said} a field {shown(unknown)}; known are {known}")
    fields: dict[str, Any] = {"bucket": None, "key": None} | record
    try:
        return checked_ref(delivery, index, **fields)
    except UnreadableNotificationError as error:
        raise UnreadableNotificationError(f"{said} an object of which {error.detail}") from error
