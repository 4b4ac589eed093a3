#!/usr/bin/env bash
# Install PostgreSQL from the distribution's packages, or do nothing if it is there: CI tests examples/to_postgres.py
# against a real server. The tests start their own; none of the distribution's is used.
set -euo pipefail

if command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
  exit 0
fi

exec "$(dirname "$0")/apt_install.sh" PostgreSQL postgresql initdb
