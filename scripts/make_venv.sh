#!/usr/bin/env bash
# Make .venv with the pinned dependencies, or do nothing if it is up to date. `make check` and ./run_local.sh share it.
#
# PYTHON=/path/to/python3 chooses the interpreter; otherwise the first Python 3.11 or later that is found.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.stamp
if [ -e "$stamp" ] && [ ! pyproject.toml -nt "$stamp" ] && [ ! constraints.txt -nt "$stamp" ] &&
  .venv/bin/python -c '' 2>/dev/null; then
  exit 0
fi

refuse() {
  echo "$1" >&2
  exit 1
}

is_recent() {
  # Run it: a shim of a version manager can be on PATH and still have nothing behind it.
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
  if [ -n "${PYTHON:-}" ]; then
    is_recent "$PYTHON" || refuse "PYTHON=$PYTHON is not Python 3.11 or later; name one that is, or leave PYTHON unset."
    echo "$PYTHON"
    return
  fi
  for candidate in python3 python3.13 python3.12 python3.11; do
    if is_recent "$candidate"; then
      echo "$candidate"
      return
    fi
  done
  refuse "SQS Pipeline needs Python 3.11 or later, and none was found; install it, or set PYTHON=/path/to/python3."
}

python=$(find_python)
rm -f "$stamp"
if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  echo "Making .venv with $("$python" --version) ..."
  "$python" -m venv --clear .venv ||
    refuse "$python could not make .venv; on Debian and Ubuntu, install the package python3-venv first."
fi
echo "Installing the pinned dependencies (a minute or two, this time only) ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]' ||
  refuse "The dependencies could not be installed; pip says why above."
touch "$stamp"
