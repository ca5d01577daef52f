# Every target sets up what it needs; a fresh machine needs Python 3.11 or newer, and make.
# `make` alone prints the targets. PYTHON=python3.12 chooses another interpreter for a new .venv.

PYTHON ?= python3
ROUNDS ?= 20
TESTS ?=

# Where Rust's own installer puts its compiler, whether or not this shell knows of it already.
export PATH := $(PATH):$(HOME)/.cargo/bin

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := build/demo

# The tests of a file share a process, so that they share what is made once for all of them. In the order of the
# folders: those with a broker early, many short ones last, so that all processes end together. Never more than 4:
# in a container `auto` counts the host's cores, not ours.
PYTEST := $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test lint format coverage bench chaos schema clean
.DELETE_ON_ERROR:

help: ## print this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# What the compiled side is made of; without a Rust compiler it is left out, and everything works, only slower.
RUST := src/orchestrator/compiled/Cargo.toml $(wildcard src/orchestrator/compiled/src/*.rs)

$(READY): pyproject.toml constraints.txt $(RUST)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ...")'
	@echo "Setting up $(VENV) (a minute or two, once; again when what it is made from changes)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint constraints.txt
	@touch $@

demo: $(READY) ## run the shop's journeys over its demo events, then explain one customer
	@rm -rf $(DEMO) && mkdir -p $(DEMO)
	$(BIN)/orchestrator run journeys --events journeys/demo-events.jsonl \
	  --actions $(DEMO)/actions.jsonl --decisions $(DEMO)/decisions.jsonl --state $(DEMO)/state.db
	$(BIN)/orchestrator explain ana --state $(DEMO)/state.db

test: $(READY) ## run all tests; TESTS="tests/unit -k wait" runs some
	@# Tests start many processes, and where PYTHONDONTWRITEBYTECODE is set each would compile all sources anew.
	@$(BIN)/python -m compileall -q src
	$(PYTEST) $(TESTS)

lint: $(READY) ## check style, types and layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(READY) ## put the code into the house format
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

coverage: $(READY) ## measure branch coverage; model, language and engine must reach 95 %
	$(PYTEST) --cov --cov-report=
	$(BIN)/coverage report
	$(BIN)/coverage report --include='src/orchestrator/model/*,src/orchestrator/language/*,src/orchestrator/engine/*' --fail-under=95

bench: $(READY) ## run the project's own benchmarks
	$(BIN)/orchestrator bench

chaos: $(READY) ## kill, cut and reorder at seeded moments, ROUNDS=n times (20)
	$(PYTEST) -m chaos --rounds $(ROUNDS) --timeout 0

schema: $(READY) ## write schemas/ from the models
	$(BIN)/orchestrator schema

clean: ## remove everything that the other targets made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.*
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
