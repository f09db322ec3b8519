# Everything runs in .venv, which each target makes first: when it is missing, and when what it is made of has changed.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
STAMP := .venv/.made
FIT := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c '$(FIT)' >/dev/null 2>&1 && { echo $$p; break; }; done)

.PHONY: help demo test lint clean

help:
	@echo 'make demo   the tour: simulate, dream, judge; writes runs/demo/report.html'
	@echo 'make test   lint, types, layers, tests'
	@echo 'make lint   lint, types and layers alone'
	@echo 'make clean  remove .venv and caches; runs/ stays'

demo: $(STAMP)
	$(BIN)/kinema demo --out runs/demo

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clean:
	rm -rf .venv build dist src/*.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find src tests perf -name __pycache__ -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@test -n '$(PYTHON)' || { echo 'kinema needs Python 3.11 or newer with its venv module, and none of python3.11, python3.12,' \
	  'python3.13 and python3 is that (on Debian or Ubuntu: apt install python3.11-venv)' >&2; exit 1; }
	@if [ -d .venv ] && ! $(BIN)/python -c '$(FIT)' 2>/dev/null; then rm -rf .venv; fi
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt -e '.[spatial,test,dev]'
	@touch $@
