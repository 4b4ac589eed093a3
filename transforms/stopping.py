"""The request to stop. It lives in an importable module because objects of `__main__` are pickled by value."""

from __future__ import annotations

import threading

STOP = threading.Event()
"""Set by the signal handlers of the job; the sources drain and end when they see it."""
JOB_IS_ELSEWHERE = threading.Event()
"""Set in a worker whose job is run from elsewhere: there `STOP` ends the worker. Its sources finish what they began and
give back the rest as ever, but do not end, since the runner would take that for the end of the job."""
