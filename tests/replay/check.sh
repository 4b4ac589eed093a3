#!/usr/bin/env bash
# Replays the recorded messages beside this file and compares every result and dead letter, byte by byte, with expected/.
# After a change that is meant: ./tests/replay/check.sh --accept, and look at what git says has changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
PATH=$PWD/.venv/bin:$PATH
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT

python -m pipeline --runner=DirectRunner --replay='tests/replay/*.jsonl' --objects=tests/replay/objects \
  --output="$output" --processed_at=2026-01-15T09:10:02Z --log_level=ERROR
find "$output" -mindepth 1 -type d -empty -delete # as git does, which knows no empty directory

if [[ ${1:-} == --accept ]]; then
  rm -rf tests/replay/expected
  mkdir tests/replay/expected
  cp -r "$output"/* tests/replay/expected
fi
diff -r tests/replay/expected "$output"
echo "as expected: $(find "$output" -type f | wc -l) files"
