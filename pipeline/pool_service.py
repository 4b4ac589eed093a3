"""What runners call to get workers: Beam's protocol of a worker pool, over processes of `pool_worker.py`."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc

from pipeline.supervised import described
from transforms.failures import UserError

if TYPE_CHECKING:
    from pipeline.worker_pool import PoolOptions

log = logging.getLogger(__name__)


class WorkerPool(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):
    """The processes that runners asked for. Its methods are called by gRPC's threads, and by the main one."""

    def __init__(self, options: PoolOptions) -> None:
        """No worker yet."""
        self._options = options
        self._lock = threading.Lock()
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self._old: list[subprocess.Popen[bytes]] = []
        """Asked to end, and not gone yet."""
        self._number = 0

    @property
    def is_empty(self) -> bool:
        """No worker is left."""
        with self._lock:
            return not self._workers and not self._old

    def StartWorker(  # noqa: N802 - gRPC's name
        self, request: beam_fn_api_pb2.StartWorkerRequest, _context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Start one; a runner that asks again for the same id has lost the first."""
        options = self._options
        with self._lock:
            self._number += 1
            arguments = (options.log_level, options.log_format, str(options.all_cores))
            command = [sys.executable, "-m", "pipeline.pool_worker", request.control_endpoint.url, request.worker_id]
            worker = subprocess.Popen([*command, str(self._number), *arguments], stdin=subprocess.PIPE)  # noqa: S603
            log.info("started worker %s as %d for %s", request.worker_id, worker.pid, request.control_endpoint.url)
            self._retire(request.worker_id)
            self._workers[request.worker_id] = worker
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(  # noqa: N802
        self, request: beam_fn_api_pb2.StopWorkerRequest, _context: grpc.ServicerContext
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Ask one to end; it does so in its own time."""
        with self._lock:
            self._retire(request.worker_id)
        return beam_fn_api_pb2.StopWorkerResponse()

    def ask_all(self) -> None:
        """Ask every worker to end."""
        with self._lock:
            for name in list(self._workers):
                self._retire(name)

    def reap(self) -> None:
        """Say which workers have ended, and how."""
        with self._lock:
            workers = [*self._workers.items(), *(("", worker) for worker in self._old)]
            ended = [(name, worker, code) for name, worker in workers if (code := worker.poll()) is not None]
            for name, worker, code in ended:
                self._retire(name)
                self._old.remove(worker)
                log.log(logging.ERROR if code else logging.INFO, "worker %d ended: %s", worker.pid, described(code))

    def _retire(self, name: str) -> None:
        worker = self._workers.pop(name, None)
        if worker is not None:
            assert worker.stdin is not None  # noqa: S101 - for the type checker
            worker.stdin.close()  # which is the request, and holds when this process dies, too
            self._old.append(worker)


def serve(pool: WorkerPool, options: PoolOptions) -> grpc.Server:
    """Listen for runners. Raises `UserError` if somebody else does."""
    # Two pools at one port would both listen, and each get some of the runner's requests.
    server = grpc.server(ThreadPoolExecutor(max_workers=4), options=[("grpc.so_reuseport", 0)])
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
    address = f"{options.bind}:{options.port}"
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise UserError(f"The worker pool cannot listen at {address}; is there another one?") from error
    server.start()
    log.info("the worker pool listens at %s", address)
    return server
