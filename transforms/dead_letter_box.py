"""What was set aside, read back: each dead letter of a store, checked, and the rest left alone."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from transforms.failures import UnreadableNotificationError, WriteFailedError
from transforms.records import Delivery, ObjectRef
from transforms.untrusted import checked_ref

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transforms.stores import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record that was set aside."""

    name: str
    """In its store."""
    delivery: Delivery
    index: int
    kind: str
    """A `FailureKind`, or a word of another version of this project."""
    detail: str
    failed_at: datetime
    ref: ObjectRef | None
    """None where the message could not be read."""
    document: dict[str, Any]
    """As stored."""

    @property
    def subject(self) -> str:
        """What it is about, for people: the object, or the message."""
        return self.ref.url if self.ref else f"message {self.delivery.message_id}"


class DeadLetterBox:
    """The dead letters of one store, one in memory at a time."""

    def __init__(self, store: Store, *, kinds: frozenset[str] = frozenset(), since: datetime | None = None) -> None:
        """Without `kinds`, all of them; without `since`, from the first on."""
        self._store = store
        self._kinds = kinds
        self._since = since
        self.unread = 0
        """How many could not be read, because the store failed."""

    def __iter__(self) -> Iterator[DeadLetter]:
        """Read each that was asked for, by name; what is no dead letter is skipped with a warning.

        Raises `WriteFailedError` if the store cannot be listed.
        """
        # Results have folders in their names and dead letters have none; the two may share a store.
        for name in sorted(name for name in self._store.names() if "/" not in name):
            letter = self._read(name)
            if letter and self._is_wanted(letter):
                yield letter

    def remove(self, letter: DeadLetter) -> None:
        """Delete a dead letter. Raises `WriteFailedError`."""
        self._store.delete(letter.name)

    def _read(self, name: str) -> DeadLetter | None:
        try:
            return read_dead_letter(name, self._store.get(name))
        except ValueError as error:
            log.warning("skipped %s, which is no dead letter: %s", name, error)
        except WriteFailedError as error:
            if self._is_there(name):  # or somebody else has put it back meanwhile
                self.unread += 1
                log.warning("skipped %s: %s", name, error.detail)
        return None

    def _is_there(self, name: str) -> bool:
        try:
            return self._store.exists(name)
        except WriteFailedError:
            return True

    def _is_wanted(self, letter: DeadLetter) -> bool:
        if self._kinds and letter.kind not in self._kinds:
            return False
        return self._since is None or letter.failed_at >= self._since


def read_dead_letter(name: str, content: bytes) -> DeadLetter:
    """Read what `dead_letter_document` made. Raises `ValueError` with a sentence for anything else."""
    try:
        document = json.loads(content)
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    if not isinstance(document, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - of a document, not of an argument
    delivery = Delivery(
        queue_url=_field(document, "queue_url", str),
        message_id=_field(document, "message_id", str),
        receipt_handle=None,
        receive_count=_field(document, "receive_count", int),
        sent_at=_time(document, "sent_at"),
        received_at=_time(document, "received_at"),
        body=_field(document, "body", str),
    )
    index = _field(document, "index", int)
    return DeadLetter(
        name=name,
        delivery=delivery,
        index=index,
        kind=_field(document, "kind", str),
        detail=_field(document, "detail", str),
        failed_at=_time(document, "failed_at"),
        ref=_ref(document, delivery, index),
        document=document,
    )


def _field(document: dict[str, Any], name: str, kind: type) -> Any:  # noqa: ANN401 - of that kind
    value = document.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {'of another type' if name in document else 'missing'}")  # noqa: TRY004 - as above
    return value


def _time(document: dict[str, Any], name: str) -> datetime:
    try:
        time = datetime.fromisoformat(_field(document, name, str))
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{name} is no time") from error


def _ref(document: dict[str, Any], delivery: Delivery, index: int) -> ObjectRef | None:
    reference = document.get("reference")
    if reference is None:
        return None
    if not isinstance(reference, dict):
        raise ValueError("reference is of another type")  # noqa: TRY004 - as above
    event_name = reference.get("event_name")
    others = ("bucket", "key", "version_id", "etag", "size", "sequencer", "event_time", "region")
    values = {name: reference.get(name) for name in others}
    try:
        # It was checked before it was stored; but a store is a place that others may write to.
        return checked_ref(
            delivery, index, **values, event_name=event_name if isinstance(event_name, str) else "ObjectCreated"
        )
    except UnreadableNotificationError as error:
        raise ValueError(f"of its reference, {error.detail}") from error
