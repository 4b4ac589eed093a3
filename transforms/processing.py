"""The user's function: called for each content, its outcome judged, its time watched."""

from __future__ import annotations

import inspect
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from transforms.documents import result_document
from transforms.error_text import described
from transforms.events import EVENTS
from transforms.failures import BadResultError, ProcessorError, RecordError, UserError, WriteFailedError
from transforms.loading import load_callable
from transforms.processing_timeout import Watch
from transforms.records import Failure, Result
from transforms.rows import draw, spool_for
from transforms.wall_clock import wall_clock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from transforms.contents import Fetched
    from transforms.records import ObjectRef
    from transforms.settings import ProcessSettings
    from transforms.spools import Spool

log = logging.getLogger(__name__)

Process = Callable[["Fetched"], Any]
LastWord = Callable[["Sequence[Failure]"], None]


class Processor:
    """The user's function, or the user's class, of which each thread that calls it has an instance of its own.

    A class's connection is so never shared: two threads on one database connection would commit each other's halves.
    """

    def __init__(
        self,
        settings: ProcessSettings,
        last_word: LastWord | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Load `settings.processor`; raises `UserError` if that cannot be. `last_word` settles what hangs."""
        self._made = load_callable(settings.processor, "--processor")
        self._is_class = inspect.isclass(self._made)
        self._now = clock or wall_clock(settings.processed_at)
        self._local = threading.local()
        self._instances: list[Any] = []
        self._running: dict[int, tuple[ObjectRef, float]] = {}
        self._watch = Watch(self._running, settings.max_processing_s, last_word or _nobody)

    def process(self, content: Fetched) -> Result | Failure:
        """Call the function and finish the content. Never raises: whatever the function does is its object's fate."""
        ref, started = content.ref, time.monotonic()
        self._running[threading.get_ident()] = (ref, started)
        try:
            result = self._result(content)
        except RecordError as error:
            return Failure.of(ref, error)
        else:
            EVENTS.processed(ref, time.monotonic() - started, content.inflated_bytes or 0)
            return result
        finally:
            del self._running[threading.get_ident()]
            content.close()

    def busy_s(self, thread: int | None) -> float | None:
        """Answer for how long a thread has been in the user's function; None if it is not."""
        running = self._running.get(thread or 0)
        return time.monotonic() - running[1] if running else None

    def close(self) -> None:
        """Close every instance of the user's class that can be closed, and say which could not."""
        self._watch.close()
        for instance in self._instances:
            try:
                getattr(instance, "close", _nothing)()
            except Exception:
                log.exception("closing the processor failed; its results are stored all the same")

    def _result(self, content: Fetched) -> Result:
        spool: Spool | None = None
        try:
            answer = self._function()(content)
            spool = spool_for(answer, content.ref)
            fields = answer if spool is None else draw(answer, spool)  # the user's code goes on in a generator
            content.finish()
            return Result(content.ref, result_document(fields, content.ref, processed_at=self._now()), spool)
        except BaseException as error:  # the one place that catches so widely: it is the user's code
            if spool is not None:
                spool.close()
            if content.error is not None:
                raise content.error from content.error.__cause__
            # isinstance() would ask the error, which may raise
            if type(error) is BadResultError or type(error) is WriteFailedError:
                raise
            raise ProcessorError(described(error)) from error

    def _function(self) -> Process:
        if not self._is_class:
            return cast("Process", self._made)
        function = getattr(self._local, "function", None)
        if function is None:
            function = self._local.function = self._made()
            self._instances.append(function)
        return cast("Process", function)


def check_processor(spec: str) -> None:
    """Raise `UserError` unless `spec` names a function of one argument, or a class whose instances are callable."""
    made = load_callable(spec, "--processor")
    # Not callable(made): that asks about its metaclass.
    if inspect.isclass(made) and not any("__call__" in vars(base) for base in made.__mro__):
        raise UserError(f"--processor is {spec!r}, a class whose instances cannot be called; define __call__")


def _nothing() -> None:
    """What a processor without `close` has to close."""


def _nobody(hung: Sequence[Failure]) -> None:
    """Who settles where there is no last step."""
