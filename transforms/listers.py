"""The threads that list buckets, so that the latency of a page overlaps the work, and never far ahead of it."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from transforms.backoff import Backoff
from transforms.error_text import described
from transforms.events import EVENTS
from transforms.failures import QueueError, UserError
from transforms.listings import Ask, KeyRange, Listed, advance
from transforms.s3_errors import BOTO3_ERRORS, explain
from transforms.stopping import STOP

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

THREADS = 8
"""At 100 ms for a page of 1,000 keys, far more than is processed meanwhile."""
MAX_PAGES = 16
"""That wait to be taken, so memory does not grow with the listing. One thread goes on and counts what is beyond."""
LOOK_S = 0.05
"""How long a caller is kept when no page is there."""
PATIENCE_S = 60.0
"""After so long a trouble callers are told of it: they know how long they can wait."""

Choose = Callable[[list[Listed], bool], list[Listed]]
"""Answers which objects of a page are wanted; the second argument says whether the page is to be counted."""


class Lister:
    """An iterator over the wanted objects in `ranges`: in no order, each once. None says that there is none just now.

    How much there is shall be known long before it is done. So one thread looks ahead of the pages that wait: it has
    each page beyond them counted, drops it, and that page is listed once more when its turn comes.

    No error ends it: it asks again with growing delays, and says once that there is trouble and once that it is over.
    If trouble lasts and nothing else is there, each `next` raises `QueueError` until it is over.
    After a stop there is never one more, and no end either: nobody shall take what was listed for everything.

    Over 150 lines because the counts of pages, ranges and threads that wait for each other change under one lock.
    """

    def __init__(
        self,
        ranges: Sequence[KeyRange],
        ask: Ask,
        choose: Choose,
        *,
        stop: threading.Event = STOP,
        take: Callable[[KeyRange, Ask], tuple[list[Listed], list[KeyRange]]] = advance,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nobody is asked before the first object is; `take` does a part of the work, as `advance`."""
        self._take, self._ask, self._choose = take, ask, choose
        self._stop = stop
        self._changed = threading.Condition()
        self._new = deque(ranges)
        self._again: deque[KeyRange] = deque()
        self._uncounted = self._unfinished = len(ranges)
        self._pages: deque[list[Listed]] = deque()
        self._page: deque[Listed] = deque()
        self._clock = clock
        self._trouble = ""
        self._trouble_since = 0.0
        self._closed = False
        self._threads: list[threading.Thread] = []

    def __iter__(self) -> Self:
        """Return itself."""
        return self

    def __next__(self) -> Listed | None:
        """Answer the next object, or None after a short wait. Raises `QueueError` while trouble lasts."""
        with self._changed:
            if not self._threads:
                self._start()
            if self._over:
                return None
            if not self._page:
                self._changed.wait_for(self._has_news, LOOK_S)
                if self._pages:
                    self._page.extend(self._pages.popleft())
                    self._changed.notify_all()
            if self._page:
                return self._page.popleft()
            if self._trouble and self._clock() - self._trouble_since > PATIENCE_S:
                raise QueueError(f"the listing fails: {self._trouble}")
            if self._unfinished or self._pages:
                return None
        raise StopIteration

    def close(self) -> None:
        """Let the threads end; a page under way is dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def _over(self) -> bool:
        return self._closed or self._stop.is_set()

    def _has_news(self) -> bool:
        return bool(self._pages) or not self._unfinished

    def _start(self) -> None:
        for number in range(THREADS):
            thread = threading.Thread(target=self._run, args=(number,), name=f"list-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, number: int) -> None:
        backoff = Backoff(base_s=0.5, max_s=30)
        while (task := self._next_range(looks_ahead=number == 0)) is not None:
            keys, is_new = task
            try:
                listed, rest = self._take(keys, self._ask)
                page = self._choose(listed, is_new)
            except Exception as error:  # noqa: BLE001 - a thread that died of the unforeseen would leave objects out in silence
                self._failed(keys, error, is_new=is_new)
                self._stop.wait(backoff.next_delay())
            else:
                backoff.reset()
                self._found(keys, page, rest, is_new=is_new)

    def _next_range(self, *, looks_ahead: bool) -> tuple[KeyRange, bool] | None:
        """Wait for a range, and whether it is new; None at the end."""
        with self._changed:
            while not self._over and self._unfinished:
                has_room = len(self._pages) < MAX_PAGES
                if has_room and self._again:
                    return self._again.popleft(), False
                if self._new and (has_room or looks_ahead):
                    return self._new.popleft(), True
                self._changed.wait(1)  # a stop tells nobody
            return None

    def _found(self, keys: KeyRange, page: list[Listed], rest: list[KeyRange], *, is_new: bool) -> None:
        with self._changed:
            if is_new:
                self._new += rest
                self._unfinished += len(rest)
                self._uncounted += len(rest) - 1
                if not self._uncounted:
                    EVENTS.count("listing_complete")
            else:  # what was written meanwhile made one page into several
                self._again += rest
                self._unfinished += len(rest)
            if page and is_new and len(self._pages) >= MAX_PAGES:
                # As far as it was counted: a page that something was written to would else end before the next begins.
                self._again.append(replace(keys, until=page[-1].key))
            else:
                self._unfinished -= 1
                if page:
                    self._pages.append(page)
            was_trouble, self._trouble = self._trouble, ""
            self._changed.notify_all()
        if was_trouble:
            log.warning("the listing goes on")

    def _failed(self, keys: KeyRange, error: Exception, *, is_new: bool) -> None:
        why = explain(error, keys.url).detail if isinstance(error, _KNOWN) else f"{keys.url}: {described(error)}"
        with self._changed:
            (self._new if is_new else self._again).appendleft(keys)
            is_known, self._trouble = bool(self._trouble), why
            self._trouble_since = self._trouble_since if is_known else self._clock()
        if not is_known:
            log.warning("the listing fails, asking again with growing delays: %s", why)


_KNOWN = (*BOTO3_ERRORS, UserError)
