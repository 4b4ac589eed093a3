"""The memory of what went wrong first, whatever was done with the exception."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from transforms.failures import InternalError, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator


class FirstError:
    """Remembers the first error of the blocks that it watches. Pickles with what it remembers."""

    def __init__(self) -> None:
        """Nothing went wrong yet."""
        self.error: RecordError | None = None
        """The first error, if there was one."""

    def check(self) -> None:
        """Raise the first error."""
        if self.error is not None:
            raise self.error

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Remember what the block raises; what is no `RecordError` becomes an `InternalError`."""
        try:
            yield
        except RecordError as error:
            self.error = self.error or error
            raise
        except Exception as error:
            # Nobody foresaw it, but it is not the user's function's: it must neither be blamed for it nor swallow it.
            internal = InternalError.of(error)
            self.error = self.error or internal
            raise internal from error
