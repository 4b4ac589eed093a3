#!/usr/bin/env bash
# S3 objects become results on this machine: a local AWS, a few log files, and the job. Nothing leaves the machine
# but the download of the dependencies, once. See examples/quickstart.py for what happens after the set-up.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: ./run_local.sh [--example NAME] [--keep] [--output DIR]

Start a local AWS (S3 and SQS over real HTTP), upload a few log files, let S3 notify the queue, run the job on it,
show the results, and stop everything again.

  --example NAME  run one of the examples: csv_totals, access_logs, to_postgres, to_parquet, call_api;
                  list says what each shows
  --keep          leave the local AWS running, and print how to use it from another shell and how to stop it
  --output DIR    where the results go (default: output/local, emptied of an earlier run's results first)
  --help          this text

It needs Python 3.11 or later; PYTHON=/path/to/python3 chooses which. The first run makes .venv and installs the
pinned dependencies, a second run takes seconds.
TEXT
}

for argument in "$@"; do
  case "$argument" in
    -h | --help)
      usage
      exit 0
      ;;
  esac
done

here=$(cd "$(dirname "$0")" && pwd)
"$here/scripts/make_venv.sh"
exec "$here/.venv/bin/python" "$here/examples/quickstart.py" "$@"
