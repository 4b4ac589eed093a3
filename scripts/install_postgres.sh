#!/usr/bin/env bash
# Install PostgreSQL from the distribution's packages, or do nothing if it is there: CI tests examples/to_postgres.py
# against a real server. The tests start their own; none of the distribution's is used.
set -euo pipefail

if command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null; then
  exit 0
fi

refuse() {
  echo "PostgreSQL is missing, and cannot be installed here: $1" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

command -v apt-get >/dev/null || refuse "there is no apt-get. Install it, so that initdb is on the PATH."
as_root true 2>/dev/null || refuse "this is neither root nor a user of sudo without a password."
echo "Installing PostgreSQL ..."
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends postgresql >/dev/null
