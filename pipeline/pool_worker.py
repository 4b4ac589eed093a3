"""A worker of a pool: Beam's harness in a process of its own, whose end is as orderly as that of the job itself.

Started by `worker_pool.py`. A runner elsewhere hands it the steps and the bundles; nothing else of the submitting
process is here. When the pool, the runner or a signal ends it, it receives nothing more, finishes what it began if the
runner still lets it flow, gives back the rest, and says what it did. It never tells the runner that a source has ended,
so the runner continues with another worker.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

import grpc

from pipeline import one_core, signals
from pipeline.logs import configure
from transforms import process_wide
from transforms.consumers import Consumer
from transforms.events import EVENTS
from transforms.stopping import JOB_IS_ELSEWHERE, STOP

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("pipeline.pool_worker")  # not `__main__`, which it is

LOOK_S = 0.05


def main(argv: Sequence[str]) -> None:
    """Serve the runner at `argv[0]`; the rest is what `worker_pool.py` gives. Does not return."""
    control_endpoint, worker_id, number, level, log_format, all_cores = argv
    configure(level, log_format, pipeline=number)
    from apache_beam.runners.worker.sdk_worker import SdkHarness  # noqa: PLC0415 - importing Beam logs

    JOB_IS_ELSEWHERE.set()
    signals.install(STOP)
    threading.Thread(target=_await_pool, name="pool-watch", daemon=True).start()
    if all_cores == "False":
        one_core.keep(int(number), threading.Event())
    flow_ended = threading.Event()
    leaving = threading.Thread(target=_leave, args=(flow_ended,), name="leave", daemon=True)
    leaving.start()
    try:
        SdkHarness(control_endpoint, worker_id=worker_id, data_buffer_time_limit_ms=-1).run()
    except (grpc.RpcError, grpc.FutureTimeoutError) as error:
        log.warning("the runner at %s is gone: %s", control_endpoint, _described(error))
    except Exception:
        log.exception("the worker failed")
    flow_ended.set()
    STOP.set()
    leaving.join()


def _await_pool() -> None:
    """Stop when the pool ends, even if it is killed: then this pipe of it ends."""
    while sys.stdin.buffer.read(1):
        pass
    STOP.set()


def _leave(flow_ended: threading.Event) -> None:
    """After the request to stop, wait for what may still be settled, account for the rest, and end the process."""
    STOP.wait()
    consumer = process_wide.made(Consumer)
    if consumer:
        until = time.monotonic() + consumer.book.settings.drain_timeout_s
        while time.monotonic() < until and not _has_left(consumer, flow_ended):
            time.sleep(LOOK_S)
    process_wide.close_all()
    log.info("stopped: %s", EVENTS.summary())
    logging.shutdown()
    os._exit(0)  # not `sys.exit`: threads of the harness may wait for ever for a runner that is gone


def _has_left(consumer: Consumer, flow_ended: threading.Event) -> bool:
    """Whether nothing is to be waited for: what is in hand is settled only while elements flow."""
    return consumer.receives_nothing_more and (flow_ended.is_set() or not consumer.book.open_count)


def _described(error: Exception) -> str:
    code = getattr(error, "code", None)
    return str(code().name) if code else "no answer"


if __name__ == "__main__":
    main(sys.argv[1:])
