"""Functions that no user should write; the object's key says what each call does."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transforms.contents import Fetched


def _recurse() -> int:
    return 1 + _recurse()


def poison(content: Fetched) -> Any:  # noqa: ANN401, C901 - one misdeed for each key
    """Misbehave as the key says; count like the default otherwise."""
    match content.ref.key:
        case "raises":
            raise ValueError("a bad value")
        case "rubbish":
            return "rubbish"
        case "not-json":
            return {"what": object()}
        case "exits":
            sys.exit(3)
        case "memory":
            raise MemoryError
        case "recurses":
            return _recurse()
        case "interrupts":
            raise KeyboardInterrupt
        case "swallows":
            with contextlib.suppress(Exception):
                content.read()
            return {"line_count": 0}
        case "prints":
            print("x" * 5_000_000)  # noqa: T201 - that is the misdeed
            print("y" * 5_000_000, file=sys.stderr)  # noqa: T201 - as above
            raise RuntimeError("z" * 1_000_000)
        case "lines":
            return {"line_count": sum(1 for _ in content.lines())}
        case _:
            data = content.read()
            return {"line_count": data.count(b"\n") + 1, "byte_size": len(data)}


def deadly(content: Fetched) -> dict[str, int]:
    """End the process, or take long, as the key says; count like the default otherwise."""
    misdeed, _, seconds = content.ref.key.partition("-")
    match misdeed:
        case "segfaults":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hangs":
            threading.Event().wait()
        case "sleeps":
            time.sleep(float(seconds))
    data = content.read()
    return {"line_count": data.count(b"\n") + 1, "byte_size": len(data)}
