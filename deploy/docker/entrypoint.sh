#!/bin/sh
# What a container of the image runs, by its arguments:
#
#   [--option=…] [redrive | dead_letters]  the job, or one of its commands: python -m pipeline takes them all
#   worker-pool [PORT]                     Beam's worker pool, for Flink and Spark, on port 50000 unless told
#   health [PORT]                          is it well? Asks the job's /healthz, or whether something listens on PORT
#   --id=… --control_endpoint=…            one worker; the pool starts it so
#
# Everything is started by exec: signals reach the program itself, and its exit code is the container's.
set -eu

worker_pool() {
  # Beam's pool starts a worker by running the program that it is given, this one, with --id=… first.
  exec python -m apache_beam.runners.worker.worker_pool_main \
    --service_port="${1:-50000}" --container_executable="$0"
}

worker() {
  for argument in "$@"; do
    value=${argument#*=}
    case $argument in
      --id=*) export WORKER_ID="$value" ;;
      --control_endpoint=*) export CONTROL_API_SERVICE_DESCRIPTOR="url: \"$value\"" ;;
      --logging_endpoint=*) export LOGGING_API_SERVICE_DESCRIPTOR="url: \"$value\"" ;;
    esac
  done
  # The pool holds a worker's standard output and never reads it: a function that prints would fill it, and stop there.
  exec python -m apache_beam.runners.worker.sdk_worker_main >&2
}

health() {
  # No proxy and no resolver may come between: http.client asks the address itself.
  exec python -c '
import os, sys
from http.client import HTTPConnection
from socket import create_connection

try:
    if len(sys.argv) > 1:
        create_connection(("127.0.0.1", int(sys.argv[1])), timeout=4).close()
        sys.exit()
    port = int(os.environ.get("SQS_PIPELINE_METRICS_PORT") or 0)
    if not port:
        sys.exit()  # nobody to ask; that the process is there is all that can be known
    asked = HTTPConnection(os.environ.get("SQS_PIPELINE_METRICS_ADDRESS") or "127.0.0.1", port, timeout=4)
    asked.request("GET", "/healthz")
    answer = asked.getresponse()
    print(answer.read(1000).decode(errors="replace").strip())
    sys.exit(answer.status != 200)
except OSError as error:
    sys.exit(f"no answer: {error}")
' "$@"
}

case "${1-}" in
  worker-pool | health)
    command=$1
    shift
    ;;
  --id=*) command=worker ;;
  *) command=job ;;
esac

case $command in
  worker-pool) worker_pool "$@" ;;
  health) health "$@" ;;
  worker) worker "$@" ;;
  job) exec python -m pipeline "$@" ;;
esac
