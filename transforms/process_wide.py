"""Things of which a process has one, whichever copy of a step asks for them.

A runner pickles steps, copies them and throws copies away; pools, leases and connections must outlive that.
`apache_beam.utils.shared` holds its objects weakly, so they would die with the last copy of a step: a worker whose
bundles pause for a minute would drop the work it has in hand. These live until the process ends or `close_all`.
"""

from __future__ import annotations

import logging
import threading
import uuid
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

T = TypeVar("T")

_instances: dict[str, Any] = {}
_making = threading.RLock()


class ProcessWide(Generic[T]):
    """A picklable handle: `get()` makes the one instance of this process on first use, from `make(*args)`."""

    def __init__(self, make: Callable[..., T], *args: Any) -> None:  # noqa: ANN401 - whatever `make` takes
        """Remember how to make it; `make` and `args` must pickle."""
        self._make = make
        self._args = args
        self._key = uuid.uuid4().hex

    def get(self) -> T:
        """Answer this process's instance."""
        with _making:
            if self._key not in _instances:
                _instances[self._key] = self._make(*self._args)
            return cast("T", _instances[self._key])


def made(kind: type[T]) -> T | None:
    """Answer the oldest instance of `kind` that this process has by now, for whoever looks on; never waits."""
    return next((instance for instance in list(_instances.values()) if isinstance(instance, kind)), None)


def close_all() -> None:
    """Close what has a `close`, newest first, and forget everything. For the end of a job.

    What cannot be closed does not keep the others open: the consumer still accounts for what it held.
    """
    while True:
        with _making:
            if not _instances:
                return
            _, instance = _instances.popitem()
        try:
            getattr(instance, "close", _nothing)()
        except Exception:
            log.exception("closing %s failed", type(instance).__name__)


def _nothing() -> None:
    """What an instance without `close` has to close."""
