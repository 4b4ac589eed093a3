# make check is what every change has to pass. Needs make and Python 3.11 or later; PYTHON=... chooses which.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?=
export PYTHON

BIN := .venv/bin
PACKAGES := pipeline transforms tests benchmarks examples docs_site
ARGS ?=

FAULTS ?= full
MINUTES ?= 10

.PHONY: help check format faults soak bench site clean environment

help: ## say what there is
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "  %-12s  %s\n", $$1, $$2 }'

# Two processes whatever the machine has, since many a test starts some itself; whichever is done first takes over half
# of what the other still has, since the slow tests come last.
check: environment ## check format, lint, types, and run every test with branch coverage
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy
	MYPYPATH=examples $(BIN)/python -m mypy examples/*.py
	$(BIN)/python -m pytest -q -n 2 --dist worksteal --cov --cov-branch --cov-report=term-missing:skip-covered $(ARGS)

format: environment ## format the code and mend what the linter can
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

faults: environment ## break S3, SQS and the job itself, at full length, and print the figures (FAULTS=short: a few minutes)
	FAULTS=$(FAULTS) $(BIN)/python -m pytest -q -p no:cacheprovider tests/faults $(ARGS)

soak: environment ## run the job at full speed through random faults; MINUTES=10; nothing may leak, nothing be lost
	$(BIN)/python -m tests.faults.soak --minutes=$(MINUTES) $(ARGS)

bench: environment ## measure the job beside hand-written loops; ARGS="--only=small --rounds=5" (see benchmarks/)
	$(BIN)/python -m benchmarks $(ARGS)

site: environment ## build the documentation site into output/site, strictly; open output/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

clean: ## remove .venv, caches, builds and local output
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage build dist ./*.egg-info output/local output/site
	find $(wildcard $(PACKAGES)) -name __pycache__ -type d -prune -exec rm -rf {} +

environment: # .venv, made again when pyproject.toml or constraints.txt is newer
	@./scripts/make_venv.sh
