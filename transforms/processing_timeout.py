"""The end of a worker whose user's function hangs: a thread cannot be killed, its lease cannot be held for ever.

The flow may stand still in that very call. So what hangs is settled from here, by the last step's own rules, and the
process ends whether or not that succeeds: what was not settled comes back by itself.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from transforms.error_text import shortened
from transforms.events import correlation
from transforms.failures import ProcessorError
from transforms.records import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from transforms.records import ObjectRef

log = logging.getLogger(__name__)

HUNG_EXIT_CODE = 70
"""A worker ends with this when the user's function hangs; whoever supervises it starts another."""
LAST_WORD_S = 10.0
"""How long the settling may take: S3 or SQS may be down, and the hanging call may hold any lock."""


class Watch:
    """Ends the process when one call lasts longer than `limit_s`."""

    def __init__(
        self,
        running: Mapping[int, tuple[ObjectRef, float]],
        limit_s: float,
        last_word: Callable[[Sequence[Failure]], None],
    ) -> None:
        """`running` is by thread, with the time of its start; `last_word` settles what hangs."""
        self._running = running
        self._limit_s = limit_s
        self._last_word = last_word
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="processing-watch", daemon=True).start()

    def close(self) -> None:
        """End nothing any more."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(1):
            hung = self._hung()
            if hung:
                ending = threading.Thread(target=self._settle, args=(hung,), name="last-word", daemon=True)
                ending.start()
                ending.join(LAST_WORD_S)
                os._exit(HUNG_EXIT_CODE)

    def _hung(self) -> list[Failure]:
        now = time.monotonic()
        return [
            _failure(ref, thread, self._limit_s)
            for thread, (ref, started) in list(self._running.items())
            if now - started > self._limit_s
        ]

    def _settle(self, hung: list[Failure]) -> None:
        for failure in hung:
            url = failure.ref.url if failure.ref else failure.delivery.message_id
            log.critical(
                "the processor is at %s for over %s s (--max_processing_s); ending this worker",
                url,
                self._limit_s,
                extra={"fields": correlation(failure.delivery, failure.ref)},
            )
        try:
            self._last_word(hung)
        except Exception:
            log.exception("what hangs could not be settled; it comes back by itself")
        logging.shutdown()


def _failure(ref: ObjectRef, thread: int, limit_s: float) -> Failure:
    """Say that the call for `ref` hangs, and where."""
    error = ProcessorError(f"did not return within {limit_s} s (--max_processing_s)")
    error.__cause__ = TimeoutError(error.detail)
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way to see another thread's
    stack = "".join(traceback.format_stack(frame)) if frame else ""
    return replace(Failure.of(ref, error), traceback=shortened(f"Where it was then (most recent call last):\n{stack}"))
