#!/bin/sh
# Makes a venv, or brings the one that is there up to date, from our own constraints file. Takes nothing else from the machine
# than a Python (PYTHON, else dev/find_python.sh finds one) and, when it is there, uv.
#   sh dev/make_venv.sh [FOLDER [EXTRAS [AIRFLOW]]]     the default: .venv simulator,dev 3.3
# Without EXTRAS (an empty one) it is what another Airflow's processes need: the runtime dependencies, and SQLite for an example.
# NO_UV=1 takes venv and pip even where there is a uv.
set -eu
cd "$(dirname "$0")/.."
venv=${1:-.venv}
extras=${2-simulator,dev}
constraints=constraints/airflow-${3:-3.3}.txt
if [ -n "$extras" ]; then ours=".[$extras]"; more=; else ours=.; more=apache-airflow-providers-sqlite; fi
unset PYTHONDONTWRITEBYTECODE

if [ ! -x "$venv"/bin/python ] || ! "$venv"/bin/python -c '' 2>/dev/null; then
    python=${PYTHON:-$(sh dev/find_python.sh)}
    echo "Making $venv with $("$python" --version)"
    # --clear: what is there has no working Python, for example because the one it was made with is gone.
    if [ -z "${NO_UV:-}" ] && command -v uv >/dev/null 2>&1; then
        uv venv --quiet --clear --no-project --python "$python" "$venv"
    else
        "$python" -m venv --clear "$venv"
    fi
fi

if [ -z "${NO_UV:-}" ] && command -v uv >/dev/null 2>&1; then
    echo "Installing with $(uv --version)"
    # --compile-bytecode: pip does so by itself. Airflow's processes then start twice as fast.
    uv pip install --python "$venv"/bin/python --constraint "$constraints" --build-constraint "$constraints" \
        --compile-bytecode --editable "$ours" $more
else
    echo "Installing with pip"
    # PIP_CONSTRAINT, not --constraint: it also binds the environment in which pip builds our own package.
    PIP_CONSTRAINT=$PWD/$constraints "$venv"/bin/python -m pip install --disable-pip-version-check --progress-bar off --quiet \
        --editable "$ours" $more
fi
touch "$venv"/.ready
