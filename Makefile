# Two commands do everything: `make briefing` and `make test`. Each sets up what is missing, and nothing else.
SHELL := /bin/bash
.DEFAULT_GOAL := help
# Importing without compiled files costs seconds in every process.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help briefing ui read test test-long lint bench pictures lock clean

PYTHON ?= python3
PORT ?= 3000
# One more than there are cores: some tests wait for a system's limits, or for Dagster's daemon.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((os.cpu_count() or 1) + 1)')
SPREAD = -n $(WORKERS) --dist loadscope --no-loadscope-reorder
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCK := deploy/requirements.lock
UV := 0.13.9

help: ## Show the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

briefing: $(READY) ## Set up, read every system of the sandbox, write a briefing, print where it is
	@$(BIN)/sophia run

ui: $(READY) ## Open the Dagster UI (PORT=3000) with the sandbox beside it
	@test -e "$${SOPHIA_HOME:-var}/current.json" || $(BIN)/sophia run
	@$(BIN)/sophia ui --port $(PORT)

read: $(READY) ## Open the reader for briefings and questions on http://127.0.0.1:8000
	@test -e "$${SOPHIA_HOME:-var}/current.json" || $(BIN)/sophia run
	@$(BIN)/sophia serve

test: $(READY) ## Run the tests but the long ones on all cores (WORKERS=1 for one after another)
	@$(BIN)/python -m pytest -m "not long" $(SPREAD)

test-long: $(READY) ## Run the long tests: whole runs, killed processes, both engines, a drill
	@$(BIN)/python -m pytest -m long $(SPREAD)

lint: $(READY) ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(READY) ## Measure loading the definitions and whole runs, in fresh processes
	@$(BIN)/python -m sophia_assets_tests.benchmarks

pictures: $(READY) ## Take the README's pictures from the running program (needs Chromium)
	@$(BIN)/python -m sophia_assets_tests.pictures

lock: $(READY) ## Resolve the dependencies anew into the lock file
	@$(BIN)/python -m uv pip compile -q --universal --python-version 3.11 --extra test --extra bench \
		--no-header --no-annotate --no-emit-index-url -o $(LOCK) pyproject.toml

clean: ## Remove the environment and everything that runs have made
	rm -rf $(VENV) var

# The stamp is written last, so that a set-up that was cut short is done again from the start.
$(READY): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v < (3, 14) and \
		f"error: Python {v.major}.{v.minor} is too old or too new. Run with PYTHON=python3.11, 3.12 or 3.13")'
	@echo "Setting up $(VENV) (once, about a minute)"
	@rm -f $(READY)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); } || { \
		echo "error: $(PYTHON) cannot make a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }
	@echo "Installing $$(grep -c == $(LOCK)) pinned packages"
	@# uv installs in seconds; pip, which knows every private index, takes over where uv cannot be had.
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV) && \
		$(BIN)/python -m uv pip install -q --compile-bytecode --python $(BIN)/python -r $(LOCK) || \
		$(BIN)/python -m pip install -q --disable-pip-version-check -r $(LOCK)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)
