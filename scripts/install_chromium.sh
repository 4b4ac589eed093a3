#!/usr/bin/env bash
# Install Chromium from the distribution's packages, or do nothing if it is there: CI looks at the status page in it.
set -euo pipefail

if command -v chromium >/dev/null; then
  exit 0
fi

refuse() {
  echo "Chromium is missing, and cannot be installed here: $1" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

command -v apt-get >/dev/null || refuse "there is no apt-get. Install it, so that chromium is on the PATH."
as_root true 2>/dev/null || refuse "this is neither root nor a user of sudo without a password."
echo "Installing Chromium ..."
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium >/dev/null
