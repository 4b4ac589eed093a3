"""A queue made of a listing: one message for each object that is there, in the words in which S3 would have told of it.

Every step behind it does what it does with S3's own notifications. Messages have no version id, so what is fetched is
what is there now.
"""

from __future__ import annotations

import logging
import zlib
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from transforms import aws
from transforms.events import EVENTS
from transforms.failures import BucketGoneError, ForbiddenError, QueueError
from transforms.finite_queue import FiniteQueue
from transforms.listers import Lister
from transforms.listings import KeyRange
from transforms.queues import Message
from transforms.result_names import digest_of
from transforms.s3_errors import BOTO3_ERRORS, explain
from transforms.written_notifications import notification

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transforms.listings import Ask, Listed
    from transforms.settings import BackfillSettings

log = logging.getLogger(__name__)

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""Storage classes whose objects must be restored first. Whether one was, only a GET can tell."""


class BackfillQueue(FiniteQueue):
    """Implements `queues.Queue` over what is in S3. Nothing is listed before the first receive."""

    def __init__(
        self, settings: BackfillSettings, region: str, role_arn: str | None = None, expected_owner: str | None = None
    ) -> None:
        """`region` is where buckets are looked for first.

        `role_arn` is assumed to list; a bucket that is not of the account `expected_owner` is forbidden.
        """
        self._places = distinct(settings.places)
        self._ask = partial(_ask, region, role_arn, expected_owner)
        self._lister = Lister([KeyRange(*place) for place in self._places], self._ask, partial(choose, settings))
        # Not a generator, which an error would end: the rest of the listing would be left out in silence.
        super().__init__(map(_message_if_any, self._lister))

    def attributes(self) -> dict[str, str]:
        """Answer that there are none, after S3 was asked for one object of each place. Raises `QueueError`."""
        for bucket, prefix in self._places:
            _check(bucket, prefix, self._ask)
        return {}

    def close(self) -> None:
        """List no more."""
        self._lister.close()


def distinct(places: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    """Leave out the places within others: each object is listed once, and its message has an id of its own."""
    kept: list[tuple[str, str]] = []
    for bucket, prefix in sorted(places):  # what begins with a prefix comes after it
        if not any(bucket == outer and prefix.startswith(begin) for outer, begin in kept):
            kept.append((bucket, prefix))
    return kept


def choose(settings: BackfillSettings, page: list[Listed], is_new: bool) -> list[Listed]:  # noqa: FBT001 - `Choose`
    """Answer what of a page is in our share and between the times; count it, and what is left out, if it is new."""
    number, parts = settings.share
    ours = [listed for listed in page if parts == 1 or zlib.crc32(listed.key.encode()) % parts == number - 1]
    reasons = [_left_out(listed, settings) for listed in ours]
    chosen = [listed for listed, reason in zip(ours, reasons, strict=True) if reason is None]
    if is_new:
        for reason, objects in Counter(filter(None, reasons)).items():
            EVENTS.count(reason, objects)
        EVENTS.count("listed", len(chosen))
        EVENTS.count("listed_bytes", sum(listed.size for listed in chosen))
        EVENTS.count("listed_archived", sum(listed.storage_class in ARCHIVES for listed in chosen))
    return chosen


def _left_out(listed: Listed, settings: BackfillSettings) -> str | None:
    """Answer why an object is not wanted, if it is not."""
    if listed.size == 0 and listed.key.endswith("/"):
        return "directory_markers"  # what consoles make for an empty folder
    if settings.since and listed.last_modified < settings.since:
        return "outside_time"
    if settings.until and listed.last_modified >= settings.until:
        return "outside_time"
    return None


def _message_if_any(listed: Listed | None) -> Message | None:
    return None if listed is None else message_of(listed)


def message_of(listed: Listed) -> Message:
    """Make the message of an object, not received yet."""
    body = notification(
        bucket=listed.bucket,
        key=listed.key,
        event_name="ObjectCreated",  # by a Put, a copy or otherwise: a listing does not say
        etag=listed.etag,
        size=listed.size,
        event_time=listed.last_modified,
        region=listed.region,
    )
    # The same for the same content, so that a dead letter replaces the one of the last time.
    message_id = digest_of(listed.bucket, listed.key, listed.etag)
    return Message(message_id, "", body, receive_count=0, sent_at=datetime.now(UTC))


def _ask(region: str, role_arn: str | None, owner: str | None, **question: Any) -> Mapping[str, Any]:  # noqa: ANN401 - boto3's
    owned = {"ExpectedBucketOwner": owner} if owner else {}
    answer: Mapping[str, Any] = aws.client("s3", region, role_arn=role_arn).list_objects_v2(**question, **owned)
    return answer


def _check(bucket: str, prefix: str, ask: Ask) -> None:
    url = f"s3://{bucket}/{prefix}"
    try:
        answer = ask(Bucket=bucket, Prefix=prefix, MaxKeys=1)
    except BOTO3_ERRORS as error:
        explained = explain(error, url)
        advice = _ADVICE.get(type(explained))
        raise QueueError(f"{explained.detail}{advice or ''}", permanent=advice is not None) from error
    if not answer.get("KeyCount"):
        log.warning("nothing is under %s", url)


_ADVICE = {ForbiddenError: "; it needs s3:ListBucket there", BucketGoneError: "; check the name"}
"""What can never be listed, and what to do."""
