"""The request to stop. It lives in an importable module because objects of `__main__` are pickled by value."""

from __future__ import annotations

import threading

STOP = threading.Event()
"""Set by the signal handlers of the job; the sources drain and end when they see it."""
