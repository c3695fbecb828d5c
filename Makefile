# Two commands matter: `make up` starts the whole product, `make test` proves it. Both set up all they need, once.

.DEFAULT_GOAL := help
.PHONY: help up test check schema-check bench lock clean

export BACKHAUL_HOME ?= $(CURDIR)/.backhaul
PYTHON ?= $(shell scripts/find-python)
BIN := .venv/bin
# fewer words from pip, and none about itself
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: .venv/runtime ## Start everything: database, API, pages, worker, stand-ins, demo data. Ctrl-C stops it
	@$(BIN)/backhaul up

test: .venv/dev .venv/tools ## Run every test, those in a real browser included
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

check: .venv/dev ## Style, types, and which layer may import which
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/lint-imports

schema-check: .venv/dev .venv/tools ## Supabase's own advisors, and `supabase db push` after our migrations
	@$(BIN)/python scripts/schema_check.py

bench: .venv/dev ## How long the caller waits, tasks a second, time to screen: side by side in one run
	@$(BIN)/python -m bench $(ARGS)

lock: .venv/dev ## Pin all dependencies anew
	@scripts/lock

clean: ## Remove the environment; state under BACKHAUL_HOME stays
	rm -rf .venv

.venv/bin/python:
	@echo "setting up .venv with $(PYTHON), once …"
	@$(PYTHON) -m venv .venv || { echo "$(PYTHON) cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; rm -rf .venv; exit 1; }

.venv/runtime: requirements.lock pyproject.toml | .venv/bin/python
	@echo "installing what requirements.lock pins …"
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev: requirements-dev.lock .venv/runtime
	@echo "installing what requirements-dev.lock pins …"
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

.venv/tools: scripts/ensure-tools | .venv/bin/python
	@scripts/ensure-tools
	@touch $@
