#!/usr/bin/env bash
# Install a package of the distribution: apt_install.sh NAME PACKAGE PROGRAM. What CI needs and a desk may do without.
set -euo pipefail
name=$1 package=$2 program=$3

refuse() {
  echo "$name is missing, and cannot be installed here: $1" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  else
    sudo -n "$@"
  fi
}

command -v apt-get >/dev/null || refuse "there is no apt-get. Install it, so that $program is on the PATH."
as_root true 2>/dev/null || refuse "this is neither root nor a user of sudo without a password."
echo "Installing $name ..."
as_root apt-get update -qq
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "$package" >/dev/null
