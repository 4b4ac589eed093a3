"""A listing becomes messages that the job reads as S3's own: which objects, in whose share, counted how."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.builders import QUEUE_URL, RECEIVED_AT
from tests.by_hand import Waits
from tests.command import until
from tests.fake_listing import CHANGED_AT, FakeListing, an_answer
from transforms import aws, backfill_queue, listers
from transforms.backfill_queue import BackfillQueue, choose, distinct, message_of
from transforms.events import EVENTS
from transforms.failures import QueueError
from transforms.listers import Lister
from transforms.listings import Listed
from transforms.notifications import AdmissionRules, parse_message
from transforms.queues import Receipt
from transforms.records import ObjectRef
from transforms.settings import BackfillSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

LISTED = Listed("logs", "a b+c/ü.gz", "d41d8", 7, CHANGED_AT, "STANDARD", "eu-west-1")
SETTINGS = BackfillSettings((("logs", ""),))


def _chosen(settings: BackfillSettings, page: Sequence[Listed], *, is_new: bool = True) -> list[str]:
    return [listed.key for listed in choose(settings, list(page), is_new)]


def _keys(count: int) -> list[Listed]:
    return [replace(LISTED, key=f"key {number}") for number in range(count)]


# ── messages


@pytest.mark.parametrize("key", ["a b+c%41.gz", "ü/日本/\u2028", "/", "a//../b/", "x" * 1024, "&=?#\x01\n"])
def test_a_message_is_read_as_the_object_that_was_listed(key: str) -> None:
    """Whatever its key; without a version, so that what is there now is fetched."""
    message = message_of(replace(LISTED, key=key))
    (ref,) = parse_message(message, queue_url=QUEUE_URL, received_at=RECEIVED_AT, rules=AdmissionRules())

    assert isinstance(ref, ObjectRef)
    assert ("logs", key, "d41d8", 7, None) == (ref.bucket, ref.key, ref.etag, ref.size, ref.version_id)
    assert ("ObjectCreated", CHANGED_AT, "eu-west-1") == (ref.event_name, ref.event_time, ref.region)


def test_the_id_of_a_message_is_that_of_the_content() -> None:
    """So the dead letter of a second run replaces that of the first."""
    same = message_of(replace(LISTED, size=8, last_modified=datetime.now(UTC)))

    assert message_of(LISTED).message_id == same.message_id
    others = [replace(LISTED, etag="another"), replace(LISTED, key="another"), replace(LISTED, bucket="another")]
    assert 4 == len({message_of(listed).message_id for listed in (LISTED, *others)})


def test_the_queue_brings_a_message_for_each_object_once_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it lies in two of the places."""
    keys = [f"a/{number}" for number in range(15)]
    monkeypatch.setattr(aws, "client", lambda service, region, role_arn: FakeListing(keys, per_page=4))
    queue = BackfillQueue(BackfillSettings((("b", "a/1"), ("b", ""), ("b", "a/"))), "us-east-1")
    received = []
    while queue.has_more():
        messages = queue.receive(max_messages=10, wait_s=1, visibility_timeout_s=60)
        received += messages
        queue.delete([Receipt(message.message_id, message.receipt_handle) for message in messages])

    assert len(keys) == len(received) == len({message.message_id for message in received})
    assert (15, 1) == (EVENTS.counts()["listed"], EVENTS.counts()["listing_complete"])
    queue.close()


def test_a_listing_that_fails_for_long_is_not_taken_for_the_end_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each receive fails until it is over, and nothing is left out."""
    listing = FakeListing(["a", "b"])
    listing.error = an_answer(403, "AccessDenied")
    monkeypatch.setattr(aws, "client", lambda service, region, role_arn: listing)
    monkeypatch.setattr(listers, "PATIENCE_S", -1.0)
    monkeypatch.setattr(backfill_queue, "Lister", partial(Lister, stop=Waits()))
    queue = BackfillQueue(SETTINGS, "us-east-1")

    def receive() -> list[str]:
        received = queue.receive(max_messages=10, wait_s=30, visibility_timeout_s=60)
        return [message.body for message in received]

    for _ in range(2):
        with pytest.raises(QueueError, match="the listing fails: s3://logs/: 403 AccessDenied"):
            receive()
        assert queue.has_more()
    listing.error = None
    assert until(lambda: bool(queue._lister._pages))

    assert 2 == len(receive())


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        ([("b", "x/"), ("b", "x/y"), ("b", "x/")], [("b", "x/")]),
        ([("b", "x"), ("b", "x-old/"), ("c", "x")], [("b", "x"), ("c", "x")]),
        ([("b", "x/1"), ("b", "x/2")], [("b", "x/1"), ("b", "x/2")]),
        ([("b", "x"), ("b", "")], [("b", "")]),
    ],
)
def test_a_place_within_another_is_not_listed_again(
    places: list[tuple[str, str]], expected: list[tuple[str, str]]
) -> None:
    """Prefixes are within each other, or have nothing in common."""
    assert expected == distinct(tuple(places))


# ── which objects


def test_shares_have_every_key_once_and_are_about_equal() -> None:
    """The content is not asked: one that is overwritten meanwhile stays in its share."""
    page = _keys(3000)
    shares = [_chosen(replace(SETTINGS, share=(number, 3)), page) for number in (1, 2, 3)]
    later = [_chosen(replace(SETTINGS, share=(1, 3)), [replace(listed, etag="new") for listed in page])]

    assert sorted(listed.key for listed in page) == sorted(key for share in shares for key in share)
    assert all(900 < len(share) < 1100 for share in shares)
    assert shares[0] == later[0]
    assert 3000 + len(later[0]) == EVENTS.counts()["listed"]


def test_markers_of_folders_are_left_out_and_counted() -> None:
    """Consoles make them; a key with a slash at its end may have a content, too."""
    page = [replace(LISTED, key="a/", size=0), replace(LISTED, key="b/", size=1), replace(LISTED, key="c", size=0)]

    assert ["b/", "c"] == _chosen(SETTINGS, page)
    assert (1, 2) == (EVENTS.counts()["directory_markers"], EVENTS.counts()["listed"])


def test_only_what_was_changed_in_time_is_wanted() -> None:
    """From --since on, before --until."""
    hour = timedelta(hours=1)
    page = [replace(LISTED, key=str(n), last_modified=CHANGED_AT + n * hour) for n in range(5)]
    within = partial(replace, SETTINGS)

    assert ["2", "3", "4"] == _chosen(within(since=CHANGED_AT + 2 * hour), page)
    assert ["0", "1"] == _chosen(within(until=CHANGED_AT + 2 * hour), page)
    assert ["1"] == _chosen(within(since=CHANGED_AT + hour, until=CHANGED_AT + 2 * hour), page)
    assert 2 + 3 + 4 == EVENTS.counts()["outside_time"]


def test_a_page_that_is_listed_again_is_not_counted_again() -> None:
    """The sums stay true."""
    page = [LISTED, replace(LISTED, key="cold", storage_class="GLACIER"), replace(LISTED, key="m/", size=0)]

    assert _chosen(SETTINGS, page) == _chosen(SETTINGS, page, is_new=False)
    counts = EVENTS.counts()
    assert (2, 14, 1, 1) == tuple(
        counts[name] for name in ("listed", "listed_bytes", "listed_archived", "directory_markers")
    )


# ── before the start


def _check(monkeypatch: pytest.MonkeyPatch, listing: FakeListing) -> None:
    monkeypatch.setattr(aws, "client", lambda service, region, role_arn: listing)
    assert {} == BackfillQueue(BackfillSettings((("b", "p/"),)), "us-east-1").attributes()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            an_answer(404, "NoSuchBucket"),
            "s3://b/p/: 404 NoSuchBucket: Said by S3.; check the name",
        ),
        (
            an_answer(403, "AccessDenied"),
            "s3://b/p/: 403 AccessDenied: Said by S3.; it needs s3:ListBucket there",
        ),
    ],
)
def test_what_can_never_be_listed_refuses_the_start(
    monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    """In one sentence."""
    listing = FakeListing([])
    listing.error = error

    with pytest.raises(QueueError) as refused:
        _check(monkeypatch, listing)
    assert (sentence, True) == (refused.value.detail, refused.value.permanent)


def test_an_outage_at_the_start_is_none_that_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As one of SQS is."""
    listing = FakeListing([])
    listing.error = an_answer(503, "SlowDown")

    with pytest.raises(QueueError) as refused:
        _check(monkeypatch, listing)
    assert ("s3://b/p/: 503 SlowDown: Said by S3.", False) == (refused.value.detail, refused.value.permanent)


def test_it_lists_as_the_role_and_from_the_owner_that_objects_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may read them may list them."""
    listing, roles = FakeListing(["a"]), []
    monkeypatch.setattr(aws, "client", lambda service, region, role_arn: roles.append(role_arn) or listing)

    BackfillQueue(BackfillSettings((("b", ""),)), "us-east-1", "a role", "123456789012").attributes()

    assert (["a role"], "123456789012") == (roles, listing.questions[0]["ExpectedBucketOwner"])


@pytest.mark.parametrize(("keys", "told"), [(["p/a"], []), (["q/a"], ["nothing is under s3://b/p/"])])
def test_a_prefix_with_nothing_under_it_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, keys: list[str], told: list[str]
) -> None:
    """It is probably misspelt, and the job would end at once as if all were done."""
    _check(monkeypatch, FakeListing(keys))

    assert told == caplog.messages
