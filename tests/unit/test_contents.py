"""What a content gives, what it remembers, what it survives, and whose memory it is."""

from __future__ import annotations

import dataclasses
import gc
import gzip
import os
import pickle
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.builders import BUCKET, KEY, an_object_ref
from tests.fake_objects import FakeObjects, Opened, fake_objects
from transforms.byte_budget import ByteBudget
from transforms.contents import Fetched, fetch
from transforms.downloads import MAX_RESUMPTIONS
from transforms.failures import (
    ArchivedError,
    BrokenTransferError,
    CorruptGzipError,
    ForbiddenError,
    InternalError,
    ObjectGoneError,
    RecordError,
    ThrottledError,
    TimedOutError,
    TooLargeError,
    UnavailableError,
)
from transforms.settings import MIB, FetchSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from transforms.objects import OpenObject
    from transforms.records import ObjectRef

LINES = [b"line %d" % number for number in range(5000)]
CONTENT = b"\n".join(LINES)
STORED = gzip.compress(CONTENT, mtime=0)
NOISE = os.urandom(3 * MIB)
"""Does not compress, so that a broken transfer has something behind it."""
SMALL = FetchSettings()
STREAMED = FetchSettings(in_memory_bytes=1000)
KEPT = FetchSettings(in_memory_bytes=len(STORED))
"""Small as stored, but not inflated."""

every_flavour = pytest.mark.parametrize("settings", [SMALL, KEPT, STREAMED], ids=["whole", "kept", "streamed"])


class Fetching:
    """Fetches from a fake of the test's own, and notes every pause."""

    def __init__(self, name: str) -> None:
        self.objects = fake_objects(name)
        self.budget = ByteBudget(256 * MIB)
        self.pauses: list[float] = []
        self._connect = partial(fake_objects, name)

    def fetch(
        self,
        stored: bytes | None = STORED,
        settings: FetchSettings = SMALL,
        ref: ObjectRef | None = None,
        pause: Callable[[float], None] | None = None,
    ) -> Fetched:
        if stored is not None:
            self.objects.put(BUCKET, KEY, stored)
        return fetch(
            ref or an_object_ref(size=None if stored is None else len(stored)),
            connect=self._connect,
            settings=settings,
            budget=self.budget,
            pause=pause or self.pauses.append,
        )


@pytest.fixture
def fetching(request: pytest.FixtureRequest) -> Fetching:
    """Name the fake after the test."""
    return Fetching(request.node.nodeid)


@every_flavour
def test_content_is_given_in_chunks_in_lines_and_whole(fetching: Fetching, settings: FetchSettings) -> None:
    """Each from the beginning, as often as it is asked for."""
    content = fetching.fetch(settings=settings)

    for _ in range(2):
        assert CONTENT == b"".join(content.chunks())
        assert LINES == list(content.lines())
        assert CONTENT == content.read()
    content.finish()
    assert len(CONTENT) == content.inflated_bytes
    assert len(STORED) == content.size


@pytest.mark.parametrize("settings", [SMALL, STREAMED], ids=["whole", "streamed"])
@pytest.mark.parametrize("stored", [b"", b"\n", b"plain text\n" * 1000])
def test_what_is_not_gzip_is_given_as_it_is(fetching: Fetching, settings: FetchSettings, stored: bytes) -> None:
    """Whatever its name ends in; an empty content has no chunk."""
    content = fetching.fetch(stored, settings)

    assert stored == content.read()
    assert all(content.chunks())
    assert stored.splitlines() == list(content.lines())


def test_a_small_object_is_read_once(fetching: Fetching) -> None:
    """And never again, whatever is asked of it."""
    content = fetching.fetch()

    content.read()
    content.finish()

    assert [Opened(an_object_ref(size=len(STORED)), 0, None)] == fetching.objects.opens


def test_the_reference_says_what_was_fetched(fetching: Fetching) -> None:
    """Not what was notified."""
    fetching.objects.put(BUCKET, KEY, STORED, etag="newer", version_id="v2")

    content = fetching.fetch(stored=None, ref=an_object_ref(etag="older"))

    assert an_object_ref(etag="newer", version_id="v2") == content.ref


def test_the_reference_is_kept_where_it_is_what_was_fetched(fetching: Fetching) -> None:
    """A notified version is the version fetched, also where a store does not repeat it."""
    info = fetching.objects.put(BUCKET, KEY, STORED, version_id="v1")
    fetching.objects.put(BUCKET, KEY, b"newer", version_id="v2")
    ref = an_object_ref(etag=info.etag, version_id="v1")

    content = fetching.fetch(stored=None, ref=ref)

    assert content.ref is ref
    assert CONTENT == content.read()


@every_flavour
def test_it_pickles(fetching: Fetching, settings: FetchSettings) -> None:
    """Bytes travel, streams open again, what belongs to the process stays; even in the middle of being read."""
    content = fetching.fetch(settings=settings, pause=_no_pause)
    next(content.lines())

    copy = _sent(content)
    content.close()

    assert content.ref == copy.ref
    assert CONTENT == copy.read()
    copy.finish()
    copy.close()
    assert 0 == fetching.budget.used


def test_an_error_pickles_along(fetching: Fetching) -> None:
    """It decides the fate wherever the record goes."""
    content = fetching.fetch(STORED[:-1], STREAMED, pause=_no_pause)
    with pytest.raises(CorruptGzipError):
        content.read()

    copy = _sent(content)

    assert str(content.error) == str(copy.error)
    with pytest.raises(CorruptGzipError):
        copy.finish()


def test_a_corrupt_small_object_is_refused_at_once(fetching: Fetching) -> None:
    """Before any function sees it."""
    with pytest.raises(CorruptGzipError):
        fetching.fetch(STORED[:-1])
    assert 0 == fetching.budget.used


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda content: content.read(), id="read"),
        pytest.param(lambda content: list(content.lines()), id="lines"),
        pytest.param(lambda content: list(content.chunks()), id="chunks"),
        pytest.param(lambda content: content.finish(), id="finish"),
    ],
)
def test_the_first_error_is_remembered_whatever_becomes_of_it(
    fetching: Fetching, read: Callable[[Fetched], object]
) -> None:
    """The function may catch it; every later call raises the very same."""
    content = fetching.fetch(STORED[:-1], STREAMED)

    with pytest.raises(CorruptGzipError) as first:
        read(content)

    assert first.value is content.error
    later: list[Callable[[], object]] = [content.read, content.chunks, content.lines, content.finish]
    for call in later:
        with pytest.raises(CorruptGzipError) as again:
            call()
        assert first.value is again.value
    assert content.inflated_bytes is None


@every_flavour
def test_what_is_too_large_to_read_is_refused_with_the_way_out(fetching: Fetching, settings: FetchSettings) -> None:
    """One byte less is not."""
    limited = dataclasses.replace(settings, max_read_bytes=len(CONTENT))
    assert CONTENT == fetching.fetch(settings=limited).read()
    content = fetching.fetch(settings=dataclasses.replace(settings, max_read_bytes=len(CONTENT) - 1))

    with pytest.raises(TooLargeError, match=r"--max_read_bytes is 48,888 and .* 48,889: read it with chunks\(\)"):
        content.read()
    with pytest.raises(TooLargeError):
        content.finish()


@every_flavour
def test_too_long_a_line_is_refused_and_remembered(fetching: Fetching, settings: FetchSettings) -> None:
    """Lines are held whole, so they have the same limit."""
    content = fetching.fetch(settings=dataclasses.replace(settings, max_read_bytes=8))

    with pytest.raises(TooLargeError, match=r"chunks\(\)"):
        list(content.lines())
    with pytest.raises(TooLargeError):
        content.finish()


def test_what_inflates_to_too_much_is_refused_when_it_is_read(fetching: Fetching) -> None:
    """Small as stored, but a bomb."""
    content = fetching.fetch(gzip.compress(bytes(5 * MIB)), FetchSettings(max_object_bytes=5 * MIB - 1))

    with pytest.raises(TooLargeError, match="--max_object_bytes is 5,242,879"):
        content.finish()


def test_a_stored_object_that_is_too_large_is_refused_at_once(fetching: Fetching) -> None:
    """Without reading it to the limit; gzip too, which can go on for ever and inflate to nothing."""
    limited = FetchSettings(in_memory_bytes=10, max_object_bytes=1000)

    for stored in (bytes(1001), gzip.compress(b"") * 51):
        with pytest.raises(TooLargeError, match=rf"--max_object_bytes is 1,000; the object has {len(stored):,} bytes"):
            fetching.fetch(stored, limited)
    assert b"" == b"".join(fetching.fetch(gzip.compress(b"") * 50, limited).chunks())


def test_a_function_that_reads_nothing_has_its_stream_verified(fetching: Fetching) -> None:
    """Nothing is stored for what may be corrupt."""
    content = fetching.fetch(settings=STREAMED)
    assert content.inflated_bytes is None

    content.finish()

    assert len(CONTENT) == content.inflated_bytes


def test_a_function_that_stops_early_has_the_rest_verified_from_there(fetching: Fetching) -> None:
    """Without fetching it all again."""
    fetching.objects.chunk_bytes = 1000
    content = fetching.fetch(settings=STREAMED)
    for line in content.lines():
        assert LINES[0] == line
        break

    content.finish()

    assert len(CONTENT) == content.inflated_bytes
    assert 2 == len(fetching.objects.opens)


def test_a_reading_that_the_function_closed_is_made_again(fetching: Fetching) -> None:
    """It was not read to its end."""
    content = fetching.fetch(NOISE, STREAMED)
    chunks = content.chunks()
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]

    content.finish()

    assert len(NOISE) == content.inflated_bytes
    assert 3 == len(fetching.objects.opens)


def test_what_nobody_foresaw_is_an_internal_error_and_remembered() -> None:
    """Not the function's fault, nor for it to swallow."""

    def broken() -> Iterator[bytes]:
        yield b"some"
        raise KeyError("headers")

    content = Fetched(an_object_ref(), broken, size=10)

    with pytest.raises(InternalError, match="KeyError: 'headers'") as raised:
        content.read()
    assert isinstance(raised.value.__cause__, KeyError)
    with pytest.raises(InternalError):
        content.finish()


@pytest.mark.parametrize("error", [BrokenTransferError, TimedOutError, UnavailableError, ThrottledError])
def test_a_broken_stream_goes_on_where_it_broke(fetching: Fetching, error: type[RecordError]) -> None:
    """By range, and only if it is still the same object."""
    content = fetching.fetch(NOISE, STREAMED)
    etag = content.ref.etag
    fetching.objects.fail_next(error("cut"), after_bytes=1000)
    fetching.objects.fail_next(error("no answer"))

    assert NOISE == content.read()

    opens = [(opened.offset, opened.if_match) for opened in fetching.objects.opens]
    assert [(0, None), (0, etag), (1000, etag), (1000, etag)] == opens
    assert [0.2, 0.4] == fetching.pauses
    assert content.error is None


def test_a_stream_without_progress_is_given_up(fetching: Fetching) -> None:
    """After a few pauses that grow."""
    content = fetching.fetch(NOISE, STREAMED)
    for number in range(MAX_RESUMPTIONS + 1):
        fetching.objects.fail_next(BrokenTransferError(f"cut {number}"), after_bytes=1000)

    with pytest.raises(BrokenTransferError, match="cut 5"):
        content.read()

    assert [0.2, 0.4, 0.8, 1.6, 2.0] == fetching.pauses


def test_progress_earns_a_stream_more_resumptions(fetching: Fetching) -> None:
    """A connection that breaks every half MiB gets there."""
    content = fetching.fetch(NOISE * 2, STREAMED)
    for _ in range(2 * MAX_RESUMPTIONS):
        fetching.objects.fail_next(BrokenTransferError("cut"), after_bytes=MIB // 2)

    assert NOISE * 2 == content.read()


def test_an_object_that_changed_while_it_was_read_is_a_broken_transfer(fetching: Fetching) -> None:
    """Half of one and half of another is neither; the next receive reads the new one."""
    content = fetching.fetch(NOISE, STREAMED)
    fetching.objects.fail_next(BrokenTransferError("cut"), after_bytes=1000)
    chunks = content.chunks()
    next(chunks)
    fetching.objects.put(BUCKET, KEY, NOISE[::-1])

    with pytest.raises(BrokenTransferError, match="the object changed while it was read, at byte 1,000"):
        list(chunks)
    with pytest.raises(BrokenTransferError):
        content.finish()


def test_an_object_that_was_deleted_before_it_was_read_is_a_broken_transfer(fetching: Fetching) -> None:
    """If it is gone for good, the next receive finds out."""
    content = fetching.fetch(NOISE, STREAMED)
    fetching.objects.delete(BUCKET, KEY)

    with pytest.raises(BrokenTransferError, match="at byte 0"):
        content.finish()


@pytest.mark.parametrize("error", [ForbiddenError, ArchivedError])
def test_a_stream_is_not_resumed_after_an_answer_that_will_not_change(
    fetching: Fetching, error: type[RecordError]
) -> None:
    """Only after what may pass."""
    content = fetching.fetch(NOISE, STREAMED)
    fetching.objects.fail_next(error("no"))

    with pytest.raises(error):
        content.finish()
    assert [] == fetching.pauses


def test_a_stream_that_nothing_identifies_is_not_resumed() -> None:
    """Without an ETag or a version the rest may be another object's."""
    objects = FakeObjects()
    objects.put(BUCKET, KEY, NOISE, version_id="v1")
    open_object = objects.open

    def open_without_etag(ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> object:
        opened = open_object(ref, offset=offset, if_match=if_match)
        opened.info = dataclasses.replace(opened.info, etag=None)
        return opened

    objects.open = open_without_etag  # type: ignore[assignment,method-assign]

    for version_id, outcome in ((None, BrokenTransferError), ("v1", None)):
        ref = an_object_ref(version_id=version_id)
        content = fetch(ref, connect=lambda: objects, settings=STREAMED, budget=ByteBudget(MIB), pause=_no_pause)
        objects.fail_next(BrokenTransferError("cut"), after_bytes=1000)
        if outcome is None:
            content.finish()
        else:
            with pytest.raises(outcome, match="cut"):
                content.finish()


@pytest.mark.parametrize("error", [ObjectGoneError, ForbiddenError, UnavailableError])
def test_what_cannot_be_opened_holds_no_memory(fetching: Fetching, error: type[RecordError]) -> None:
    """The error is the answer: another receive tries again."""
    fetching.objects.fail_next(error("no"))

    with pytest.raises(error):
        fetching.fetch()
    assert 0 == fetching.budget.used
    assert [] == fetching.pauses


def test_a_small_object_cut_once_goes_on_where_it_was_cut(fetching: Fetching) -> None:
    """That costs less than a way through the queue."""
    fetching.objects.fail_next(BrokenTransferError("cut"), after_bytes=10)

    assert CONTENT == fetching.fetch().read()
    assert [0, 10] == [opened.offset for opened in fetching.objects.opens]


def test_a_small_object_cut_twice_holds_no_memory_and_no_thread(fetching: Fetching) -> None:
    """Others wait for both, and it comes again."""
    for _ in range(2):
        fetching.objects.fail_next(BrokenTransferError("cut"), after_bytes=10)

    with pytest.raises(BrokenTransferError):
        fetching.fetch()
    assert 0 == fetching.budget.used
    assert [0.2] == fetching.pauses


@pytest.mark.parametrize(
    ("settings", "held"), [(SMALL, len(CONTENT)), (KEPT, len(STORED)), (STREAMED, 0)], ids=["whole", "kept", "streamed"]
)
def test_it_holds_what_it_keeps_in_memory_until_it_is_closed(
    fetching: Fetching, settings: FetchSettings, held: int
) -> None:
    """Closed twice is closed once, and closed is not readable."""
    content = fetching.fetch(settings=settings)
    assert held == fetching.budget.used

    content.close()
    content.close()

    assert 0 == fetching.budget.used
    with pytest.raises(ValueError, match="is closed"):
        content.read()


def test_what_finds_no_memory_to_be_inflated_is_inflated_when_it_is_read(fetching: Fetching) -> None:
    """To wait for more while holding some would be a deadlock, once several do so."""
    other = fetching.budget.acquire(256 * MIB - len(STORED))

    content = fetching.fetch(settings=SMALL)

    assert not content.in_memory
    assert 256 * MIB == fetching.budget.used
    assert CONTENT == content.read()
    other.release()
    assert fetching.fetch(settings=SMALL).in_memory


def test_memory_of_a_content_that_nobody_closed_comes_back(fetching: Fetching) -> None:
    """A runner may pickle it and throw it away."""
    content = fetching.fetch()
    next(content.chunks())
    assert fetching.budget.used > 0

    del content
    gc.collect()

    assert 0 == fetching.budget.used


def test_an_object_that_grew_since_it_was_notified_is_opened_again_with_memory_for_it(fetching: Fetching) -> None:
    """Memory is reserved before a connection is opened, for what was notified."""
    fetching.objects.put(BUCKET, KEY, STORED)

    content = fetching.fetch(stored=None, ref=an_object_ref(size=10))

    assert CONTENT == content.read()
    assert len(CONTENT) == fetching.budget.used
    assert 2 == len(fetching.objects.opens)


def test_an_object_that_grows_whenever_it_is_opened_is_opened_twice(
    fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second time there is room for the worst case."""
    open_it = fetching.objects.open

    def grow(ref: ObjectRef, *, offset: int = 0, if_match: str | None = None) -> OpenObject:
        fetching.objects.put(BUCKET, KEY, b"x" * 10 * (len(fetching.objects.opens) + 2))
        return open_it(ref, offset=offset, if_match=if_match)

    monkeypatch.setattr(fetching.objects, "open", grow)

    assert 30 == len(fetching.fetch(stored=None, ref=an_object_ref(size=10)).read())
    assert 2 == len(fetching.objects.opens)


def test_an_object_of_unknown_size_is_opened_once(fetching: Fetching) -> None:
    """There is room for the worst case."""
    fetching.objects.put(BUCKET, KEY, STORED)

    assert CONTENT == fetching.fetch(stored=None, ref=an_object_ref(size=None)).read()
    assert 1 == len(fetching.objects.opens)


def _sent(content: Fetched) -> Fetched:
    copy = pickle.loads(pickle.dumps(content))  # noqa: S301 - the test's own
    assert isinstance(copy, Fetched)
    return copy


def _no_pause(seconds: float) -> None:
    """Pickle, which a list's append does only with its list."""
