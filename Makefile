# Every command that people and CI use; `make` alone lists them.
# Where Python is found, and how the second run costs nothing: tools/install.sh.
SHELL := bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help serve demo-crm test lint types unit wheels bench chaos format reference interface constraints clean for-serve for-test for-bench

BIN := .venv/bin
ARGS ?=

# The version of the constraints is the one that is wanted: no look for a newer one, no advice to take it.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export PYRIGHT_PYTHON_FORCE_VERSION := $(shell sed -n 's/^pyright==//p' constraints.txt)

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

serve: for-serve ## Run the leads of routes/ with everything embedded; Ctrl-C stops
	@tools/samples.sh
	@$(BIN)/python tools/foreground.py $(BIN)/routekit serve routes/ --route 'leads.*' --route 'duplicates.*' $(ARGS)

demo-crm: for-test ## Keep a real CRM, ERP and helpdesk in step, kill the daemon twice, and compare
	$(BIN)/python tools/demo_crm.py

test: lint types wheels unit ## Check and test everything: lint, types, wheels, unit

lint: for-test ## Style, formatting and the floors between modules
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo

types: for-test ## Types, strictly
	$(BIN)/pyright

unit: for-test ## Tests; make unit ARGS="tests/eip -k split" runs some
	$(BIN)/python -m pytest $(ARGS)

wheels: for-test ## Build all wheels, and a new plugin, and use them in an empty environment
	$(BIN)/python tools/wheels.py
	$(BIN)/python tools/stranger.py

bench: for-bench ## Measure, beside other people's work
	$(BIN)/python -m benchmarks $(ARGS)

chaos: for-test ## Kill daemon, broker and database at work, and count; make chaos ARGS="--kills 60 --seed 7"
	$(BIN)/python -m chaos $(ARGS)

format: for-test ## Put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

reference: for-test ## Write the pages of docs/reference and the tables of docs/ anew
	$(BIN)/python tools/reference.py
	$(BIN)/python tests/docs/test_tables.py

interface: for-test ## Write the page and the record of the plugin interface anew, after a change that is meant
	$(BIN)/python tools/interface.py

constraints: ## Resolve all versions anew, into constraints.txt
	tools/constraints.sh

clean: ## Remove everything that was made, except data/
	rm -rf .venv .pytest_cache .ruff_cache .import_linter_cache .hypothesis dist build
	find routekit plugins routes examples tests benchmarks chaos tools -name __pycache__ -prune -exec rm -rf {} +

for-serve:
	@tools/install.sh serve

for-test:
	@tools/install.sh test

for-bench:
	@tools/install.sh bench
