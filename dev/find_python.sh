#!/bin/sh
# Prints the path of a Python that can make our .venv, or says what is missing. Installs nothing.
# A name on PATH is not enough: pyenv's shims exist for versions that are not switched on, and Debian's python3 may
# come without ensurepip, so each candidate is run.
set -eu

usable() {
    "$1" -c 'import sys, venv, ensurepip
if not (3, 11) <= sys.version_info[:2] <= (3, 13): sys.exit(1)
print(sys.executable)' 2>/dev/null
}

for name in python3.12 python3.13 python3.11 python3 python; do
    # Every match on PATH, not only the first one: the first may be a shim or a Python without ensurepip.
    old_ifs=$IFS
    IFS=:
    for folder in $PATH; do
        if [ -x "$folder/$name" ] && usable "$folder/$name"; then
            exit 0
        fi
    done
    IFS=$old_ifs
done
for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[123]*/bin/python; do
    if [ -x "$candidate" ] && usable "$candidate"; then
        exit 0
    fi
done
if command -v uv >/dev/null 2>&1; then
    found=$(uv python find --no-project '>=3.11,<3.14' 2>/dev/null || true)
    if [ -n "$found" ] && usable "$found"; then
        exit 0
    fi
fi
cat >&2 <<'MESSAGE'
No Python 3.11, 3.12 or 3.13 with venv was found.
  Debian, Ubuntu:  apt-get install python3 python3-venv
  anything else:   install Python from your package manager or with pyenv
  somewhere else:  make PYTHON=/path/to/python3.12 ...
MESSAGE
exit 1
