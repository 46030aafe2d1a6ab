# What a person types. `make help` lists it. The work is done by dev/ and by the tools in .venv.
#   PYTHON=/path/to/python   the Python to make .venv with (default: the first 3.11 to 3.13 that dev/find_python.sh finds)
#   AIRFLOW=3.1              make up: another Airflow (3.0, 3.1), from a venv of its own
#   NO_UV=1                  venv and pip, even where there is a uv

CONSTRAINTS := constraints/airflow-3.3.txt
AIRFLOW ?= 3.3
PY := .venv/bin/python
WORKERS ?= auto
export PYTHON
# Airflow is a lot of code: without compiled modules each of its processes starts seconds later.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help .venv demo up down screenshots test lint types layers test-fast test-browser test-e2e test-distributed soak format constraints build clean

help: ## This list
	@sed -n 's/^\([a-z.][a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26

# The stamp is written last, so that an interrupted installation is repeated.
.venv/.ready: pyproject.toml $(CONSTRAINTS) dev/make_venv.sh
	sh dev/make_venv.sh

.venv: .venv/.ready ## Install everything into .venv

demo: .venv/.ready ## Watch a real Airflow send LINE messages with SMS failover, against the simulator
	$(PY) -m dev demo

# The Airflow of `make up`: ours, or one in a venv of its own, which is made when it is asked for.
OTHER := $(if $(filter 3.3,$(AIRFLOW)),,.venv-airflow-$(AIRFLOW))

.venv-airflow-%/.ready: pyproject.toml constraints/airflow-%.txt dev/make_venv.sh
	sh dev/make_venv.sh .venv-airflow-$* "" $*

up: .venv/.ready $(if $(OTHER),$(OTHER)/.ready) ## Start the simulator and Airflow, and leave them running
	$(PY) -m dev up $(if $(OTHER),--python $(OTHER)/bin/python)

down: .venv/.ready ## Stop what `make up` has started
	$(PY) -m dev down

screenshots: .venv/.ready ## Take the pictures of docs/images anew, from the running software
	sh dev/install_chromium.sh
	$(PY) -m dev screenshots

test: lint types layers test-fast test-browser test-e2e ## Everything that .ci/run checks

lint: .venv/.ready
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .

types: .venv/.ready
	.venv/bin/mypy

layers: .venv/.ready
	.venv/bin/lint-imports

test-fast: .venv/.ready ## Unit and integration tests
	$(PY) -m pytest -m "not e2e and not distributed" --ignore tests/e2e --ignore tests/distributed --ignore tests/browser -n $(WORKERS) --dist worksteal

test-browser: .venv/.ready .venv-airflow-3.1/.ready ## The tests of pages, in Chromium (installed when root)
	sh dev/install_chromium.sh
	$(PY) -m pytest -n $(WORKERS) --dist loadfile tests/browser

test-e2e: .venv/.ready .venv-airflow-3.1/.ready ## The tests that drive a real Airflow
	$(PY) -m pytest -m e2e -n 0 tests/e2e

# A venv of its own: what Celery and its friends bring must not hide from the other tests that something is not declared.
.venv-distributed/.ready: pyproject.toml $(CONSTRAINTS) dev/make_venv.sh
	sh dev/make_venv.sh .venv-distributed simulator,dev,distributed

test-distributed: .venv-distributed/.ready ## The test of several machines: Celery, Redis, PostgreSQL (installed when root)
	sh dev/install_servers.sh
	.venv-distributed/bin/python -m pytest -m distributed -n 0 tests/distributed

soak: .venv/.ready ## The crash harness for SCHEDULES schedules (20000) of each family, on all cores
	$(PY) -m tests.crash --schedules $(or $(SCHEDULES),20000)
	$(PY) -m tests.crash --one-task --schedules $(or $(SCHEDULES),20000)
	$(PY) -m tests.crash --one-task-batches --schedules $(or $(SCHEDULES),20000)
	$(PY) -m tests.crash --batches --schedules $(or $(SCHEDULES),20000)
	$(PY) -m tests.crash --alerts --schedules $(or $(SCHEDULES),20000)

format: .venv/.ready ## Format the code
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

constraints: ## Resolve the constraints file anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate \
	    --custom-compile-command "make constraints" --constraint constraints/airflow-3.3.in \
	    --extra parquet --extra simulator --extra dev --extra distributed --output-file $(CONSTRAINTS) pyproject.toml

build: .venv/.ready ## Build wheel and sdist into dist/
	.venv/bin/hatchling build

clean: down ## Stop what runs, and remove what was made, but for .venv
	rm -rf .airflow build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
