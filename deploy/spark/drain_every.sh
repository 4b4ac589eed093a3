#!/bin/sh
# Run a command again and again, so many seconds after its last end: a cron for where there is none.
#
#   drain_every.sh 300 python -m pipeline --runner=SparkRunner --drain …
#
# 2 means that it cannot start, and ends the loop with 2; any other failure is logged, and the next turn is the next try.
# SIGTERM and Ctrl-C reach the command, and end the loop with its exit code.
set -u

if [ $# -lt 2 ]; then
  echo "usage: $0 SECONDS COMMAND [ARGUMENT …]" >&2
  exit 2
fi
pause_s=$1
shift
running=
stopped=

# shellcheck disable=SC2317 # the trap calls it
stop() {
  stopped=true
  [ -z "$running" ] || kill -TERM "$running" 2>/dev/null
}
trap stop TERM INT

# A signal ends `wait` early, so it is asked until the process is gone.
wait_for() {
  running=$1
  [ -z "$stopped" ] || kill -TERM "$running" 2>/dev/null # the signal came before it was known whom to tell
  while :; do
    wait "$running"
    code=$?
    kill -0 "$running" 2>/dev/null || break
  done
  running=
}

while [ -z "$stopped" ]; do
  "$@" &
  wait_for $!
  if [ "$code" -eq 2 ]; then
    exit 2
  elif [ "$code" -ne 0 ] && [ -z "$stopped" ]; then
    echo "drain_every.sh: the drain ended with $code; the next one begins in $pause_s s" >&2
  fi
  last=$code
  if [ -z "$stopped" ]; then
    sleep "$pause_s" &
    wait_for $!
  fi
done
exit "$last"
