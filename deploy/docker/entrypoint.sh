#!/bin/sh
# What a container of the image runs, by its arguments:
#
#   [--option=…] [redrive | dead_letters]  the job, or one of its commands: python -m pipeline takes them all
#   worker-pool [--port=PORT]              workers for Flink and Spark, at port 50000 unless told
#   health [PORT]                          is it well? Asks the job's /healthz, or whether something listens on PORT
#
# Everything is started by exec: signals reach the program itself, and its exit code is the container's.
set -eu

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
  worker-pool)
    shift
    exec python -m pipeline worker_pool "$@"
    ;;
  health)
    shift
    health "$@"
    ;;
  *) exec python -m pipeline "$@" ;;
esac
