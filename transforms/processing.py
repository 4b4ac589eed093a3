"""The user's function: called for each content, its outcome judged, its time watched."""

from __future__ import annotations

import inspect
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from transforms.documents import result_document
from transforms.events import EVENTS
from transforms.failures import BadResultError, ProcessorError, RecordError, UserError
from transforms.loading import load_callable
from transforms.raised import described
from transforms.records import Failure, Result

if TYPE_CHECKING:
    from transforms.contents import Fetched
    from transforms.records import ObjectRef
    from transforms.settings import ProcessSettings

log = logging.getLogger(__name__)

HUNG_EXIT_CODE = 70
"""A worker ends with this when the user's function hangs; whoever supervises it starts another."""

Process = Callable[["Fetched"], Any]


class Processor:
    """The user's function, or the user's class, of which each thread that calls it has an instance of its own.

    A class's connection is so never shared: two threads on one database connection would commit each other's halves.
    """

    def __init__(self, settings: ProcessSettings, *, clock: Callable[[], datetime] | None = None) -> None:
        """Load `settings.processor`; raises `UserError` if that cannot be."""
        self._made = load_callable(settings.processor, "--processor")
        self._is_class = inspect.isclass(self._made)
        self._now = clock or _now
        self._local = threading.local()
        self._instances: list[Any] = []
        self._running: dict[int, tuple[ObjectRef, float]] = {}
        self._watch = _Watch(self._running, settings.max_processing_s)

    def process(self, content: Fetched) -> Result | Failure:
        """Call the function and finish the content. Never raises: whatever the function does is its object's fate."""
        ref, started = content.ref, time.monotonic()
        self._running[threading.get_ident()] = (ref, started)
        try:
            result = Result(ref, self._document(content))
        except RecordError as error:
            return Failure.of(ref, error)
        else:
            EVENTS.processed(ref, time.monotonic() - started)
            return result
        finally:
            del self._running[threading.get_ident()]
            content.close()

    def close(self) -> None:
        """Close every instance of the user's class that can be closed, and say which could not."""
        self._watch.close()
        for instance in self._instances:
            try:
                getattr(instance, "close", _nothing)()
            except Exception:
                log.exception("closing the processor failed; its results are stored all the same")

    def _document(self, content: Fetched) -> bytes:
        try:
            fields = self._function()(content)
            content.finish()
            return result_document(fields, content.ref, processed_at=self._now())
        except BaseException as error:  # the one place that catches so widely: it is the user's code
            if content.error is not None:
                raise content.error from content.error.__cause__
            if type(error) is BadResultError:  # isinstance() would ask the error, which may raise
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


class _Watch:
    """Ends the process when one call lasts too long: a thread cannot be killed, its lease cannot be held for ever."""

    def __init__(self, running: dict[int, tuple[ObjectRef, float]], limit_s: float) -> None:
        self._running = running
        self._limit_s = limit_s
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="processing-watch", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(1):
            now = time.monotonic()
            for ref, started in list(self._running.values()):
                if now - started > self._limit_s:
                    log.critical(
                        "the processor is at %s for over %s s (--max_processing_s); ending this worker",
                        ref.url,
                        self._limit_s,
                    )
                    logging.shutdown()
                    os._exit(HUNG_EXIT_CODE)


def check_processor(spec: str) -> None:
    """Raise `UserError` unless `spec` names a function of one argument, or a class whose instances are callable."""
    made = load_callable(spec, "--processor")
    # Not callable(made): that asks about its metaclass.
    if inspect.isclass(made) and not any("__call__" in vars(base) for base in made.__mro__):
        raise UserError(f"--processor is {spec!r}, a class whose instances cannot be called; define __call__")


def _now() -> datetime:
    return datetime.now(UTC)


def _nothing() -> None:
    """What a processor without `close` has to close."""
