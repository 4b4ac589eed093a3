"""The threads that list: nothing twice, nothing left out, bounded, and never ended by an error."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.by_hand import Waits
from tests.command import until
from tests.fake_listing import CHANGED_AT, FakeListing, an_answer
from transforms.events import EVENTS
from transforms.failures import QueueError
from transforms.listers import MAX_PAGES, PATIENCE_S, THREADS, Lister
from transforms.listings import KeyRange, Listed

if TYPE_CHECKING:
    from collections.abc import Callable

    from transforms.listers import Choose


def _nobody(**question: object) -> NoReturn:
    raise AssertionError("these tests list nothing of S3")


def _listed(key: str) -> Listed:
    return Listed("b", key, "etag", 1, CHANGED_AT, "STANDARD", None)


def _pages(count: int) -> Callable[[KeyRange, object], tuple[list[Listed], list[KeyRange]]]:
    """A listing of so many pages of two objects; a range begins at page `after`, and is that page if it has an end."""

    def take(keys: KeyRange, ask: object) -> tuple[list[Listed], list[KeyRange]]:
        number = int(keys.after or 0)
        rest = [KeyRange("b", after=str(number + 1))] if number + 1 < count and not keys.until else []
        return [_listed(f"{number}a"), _listed(f"{number}b")], rest

    return take


def _all(page: list[Listed], is_new: bool) -> list[Listed]:  # noqa: FBT001 - `Choose`
    EVENTS.count("listed", len(page) if is_new else 0)
    return page


def _lister(take: object, choose: Choose = _all, stop: threading.Event | None = None) -> Lister:
    return Lister([KeyRange("b")], _nobody, choose, stop=stop or threading.Event(), take=take)  # type: ignore[arg-type]


def _keys(lister: Lister) -> list[str]:
    return [listed.key for listed in lister if listed is not None]


def _expected(pages: int) -> list[str]:
    return sorted(f"{number}{letter}" for number in range(pages) for letter in "ab")


def test_every_object_comes_once() -> None:
    """Then it ends."""
    lister = _lister(_pages(100))

    assert _expected(100) == sorted(_keys(lister))
    with pytest.raises(StopIteration):
        next(lister)


def test_what_is_not_wanted_does_not_come() -> None:
    """A page may have nothing for us."""
    lister = _lister(_pages(50), lambda page, is_new: [listed for listed in page if listed.key == "7a"])

    assert ["7a"] == _keys(lister)


def test_how_much_there_is_is_known_before_it_is_taken_and_memory_does_not_grow() -> None:
    """What is beyond the pages that wait is counted once, dropped, and listed again when its turn comes."""
    pages = 10 * MAX_PAGES
    lister = _lister(_pages(pages))
    first = next(listed for listed in lister if listed is not None)

    assert until(lambda: EVENTS.counts()["listing_complete"] == 1)
    assert 2 * pages == EVENTS.counts()["listed"]
    assert len(lister._pages) <= MAX_PAGES + THREADS
    assert _expected(pages) == sorted([first.key, *_keys(lister)])
    assert (1, 2 * pages) == (EVENTS.counts()["listing_complete"], EVENTS.counts()["listed"])


def test_a_page_that_takes_its_time_is_not_the_end() -> None:
    """There is none just now."""
    go_on = threading.Event()

    def take(keys: KeyRange, ask: object) -> tuple[list[Listed], list[KeyRange]]:
        go_on.wait(60)
        return [_listed("a")], []

    lister = _lister(take)

    assert [None, None] == [next(lister), next(lister)]
    go_on.set()
    assert ["a"] == _keys(lister)


def test_errors_are_waited_out_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Of S3, and the unforeseen: a thread that died would leave objects out in silence."""
    caplog.set_level("WARNING")
    errors = [an_answer(503, "SlowDown"), an_answer(503, "SlowDown"), RuntimeError("unforeseen")]
    pages = _pages(3 * MAX_PAGES)

    def take(keys: KeyRange, ask: object) -> tuple[list[Listed], list[KeyRange]]:
        if keys.after == "2" and errors:
            raise errors.pop(0)
        return pages(keys, ask)

    assert _expected(3 * MAX_PAGES) == sorted(_keys(_lister(take, stop=Waits())))
    # Told after the last page was handed over, by another thread.
    assert until(lambda: len(caplog.messages) > 1)
    assert ["the listing fails", "the listing goes on"] == [message.partition(",")[0] for message in caplog.messages]
    assert "s3://b/: 503 SlowDown: Said by S3." in caplog.messages[0]


def test_a_page_that_fails_when_it_is_listed_again_is_not_lost() -> None:
    """It was counted, so it must come."""
    pages, seen, failed = _pages(4 * MAX_PAGES), set(), []

    def take(keys: KeyRange, ask: object) -> tuple[list[Listed], list[KeyRange]]:
        if keys.after in seen and not failed:
            failed.append(keys)
            raise RuntimeError("unforeseen")
        seen.add(keys.after)
        return pages(keys, ask)

    lister = _lister(take, stop=Waits())
    first = next(listed for listed in lister if listed is not None)

    assert until(lambda: EVENTS.counts()["listing_complete"] == 1)
    assert _expected(4 * MAX_PAGES) == sorted([first.key, *_keys(lister)])
    assert 1 == len(failed)


@pytest.mark.parametrize("written", [1, 5])
def test_what_is_written_meanwhile_pushes_nothing_out_of_a_page_that_is_listed_again(written: int) -> None:
    """Each page reaches to where the next one begins, whatever has come between, and no further if something went."""
    keys = [f"{number:04}" for number in range(8 * MAX_PAGES)]
    listing = FakeListing(keys, per_page=2)
    lister = Lister([KeyRange("b")], listing.list_objects_v2, _all, stop=threading.Event())
    first = next(listed for listed in lister if listed is not None)
    assert until(lambda: EVENTS.counts()["listing_complete"] == 1)

    new, gone = [f"{key}-{number}" for key in keys for number in range(written)], keys[-7::2]
    listing.keys = sorted({*keys, *new} - {*gone})
    came = [first.key, *_keys(lister)]

    assert len(set(came)) == len(came)
    assert set() == {*keys} - {*gone} - {*came}
    assert len(keys) == EVENTS.counts()["listed"]


def test_trouble_that_lasts_is_told_to_who_asks_until_it_is_over() -> None:
    """Whoever waits for the end of the listing may have other things to do, or enough of it."""
    over, now = threading.Event(), [0.0]

    def take(keys: KeyRange, ask: object) -> tuple[list[Listed], list[KeyRange]]:
        if not over.is_set():
            raise an_answer(503, "SlowDown")
        return [_listed("a")], []

    lister = Lister([KeyRange("b")], _nobody, _all, stop=Waits(), take=take, clock=lambda: now[0])
    assert until(lambda: next(lister) is None and lister._trouble != "")
    assert next(lister) is None
    now[0] = PATIENCE_S + 1

    with pytest.raises(QueueError, match="the listing fails: s3://b/: 503 SlowDown"):
        next(lister)
    over.set()
    assert until(lambda: not lister._trouble)
    assert ["a"] == _keys(lister)


def test_after_a_stop_nothing_comes_and_it_does_not_end() -> None:
    """What was listed by then is not everything."""
    stop = threading.Event()
    lister = _lister(_pages(100), stop=stop)
    assert until(lambda: next(lister) is not None)

    stop.set()

    assert [None, None, None] == [next(lister), next(lister), next(lister)]


def test_a_closed_one_ends_its_threads() -> None:
    """Though nobody takes what they have."""
    lister = _lister(_pages(10 * MAX_PAGES))
    assert until(lambda: next(lister) is not None)

    lister.close()

    for thread in lister._threads:
        thread.join(60)
        assert not thread.is_alive()


def test_nobody_is_asked_before_the_first_object_is() -> None:
    """A refused start leaves no thread behind."""
    lister = _lister(_pages(1))

    assert [] == lister._threads
    assert _expected(1) == sorted(_keys(lister))
    assert THREADS == len(lister._threads)
