# obsportal: `make demo` shows it, `make test` checks everything, `make help` lists the rest.

VENV   := .venv
BIN    := $(VENV)/bin
# A data folder of their own: tests must see neither the settings nor the records of this account.
PYTEST := OBSPORTAL_DATA=$(VENV)/test-data OBSPORTAL_CONFIG= $(BIN)/pytest
# Extra words for pytest: make test PYTEST_ARGS="-k cone -x"
PYTEST_ARGS ?=

.PHONY: help demo test lint test-postgresql test-sqlite bench docs lock
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*##  *\(.*\)/make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

demo: $(VENV)/.runtime-installed  ## a portal with synthetic data on this machine; its address is printed
	@OBSPORTAL_DATA="$${OBSPORTAL_DATA:-data/demo}" $(BIN)/obsportal demo

test: lint  ## lint, then the tests on PostgreSQL and on SQLite
	@skipped=''; failed=0; \
	$(MAKE) --no-print-directory test-postgresql || { \
	  if [ -f $(VENV)/.postgresql-unavailable ] && [ -z "$$CI" ]; \
	  then skipped='PostgreSQL: no server could be started'; else failed=1; fi; }; \
	OBSPORTAL_NOT_TESTED="$$skipped" $(MAKE) --no-print-directory test-sqlite || failed=1; \
	exit $$failed

test-postgresql: $(VENV)/.dev-installed  ## the tests that use the database, on a temporary PostgreSQL server
	@rm -f $(VENV)/.postgresql-unavailable
	@OBSPORTAL_TEST_DATABASE=postgresql $(BIN)/python tests/postgres_server.py -- env $(PYTEST) $(PYTEST_ARGS); \
	status=$$?; [ $$status -ne 69 ] || touch $(VENV)/.postgresql-unavailable; \
	$(if $(PYTEST_ARGS),[ $$status -ne 5 ] || status=0;) exit $$status

test-sqlite: $(VENV)/.dev-installed  ## all tests, on SQLite
	@OBSPORTAL_DATABASE_URL= $(PYTEST) $(PYTEST_ARGS)

lint: $(VENV)/.dev-installed  ## style, types, import order of the rooms, migrations equal to the models
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	DJANGO_SETTINGS_MODULE=obsportal.site.settings OBSPORTAL_DATA=$(VENV)/lint-data \
	  $(BIN)/python -m django makemigrations --check --dry-run

bench: $(VENV)/.dev-installed  ## every bench/bench_*.py in turn
	@failed=0; for script in bench/bench_*.py; do \
	  [ -f "$$script" ] || { echo "bench/ holds no benchmark yet"; break; }; \
	  printf '\n== %s\n' "$$script"; $(BIN)/python "$$script" || failed=1; \
	done; exit $$failed

docs: $(VENV)/.dev-installed  ## the documentation as HTML, in site/
	@$(BIN)/mkdocs build --strict --quiet && echo "open site/index.html"

# Hashes and versions only: which registry serves them is the machine's business.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" $(UPGRADE)

lock: $(VENV)/.dev-installed  ## the lock files anew from pyproject.toml (make lock UPGRADE=--upgrade for new versions)
	$(COMPILE) --extra build pyproject.toml -o requirements.lock
	$(COMPILE) --extra build --extra dev --constraint requirements.lock pyproject.toml -o requirements-dev.lock
	@! grep -nE '://|^(-i|-f|--(index|extra-index|find-links|trusted-host))' requirements.lock requirements-dev.lock \
	  || { echo "a lock file names a host"; exit 1; }

$(VENV)/.dev-installed: requirements-dev.lock pyproject.toml
	@./deploy/make-venv $(VENV) requirements-dev.lock
	@touch $@ $(VENV)/.runtime-installed

$(VENV)/.runtime-installed: requirements.lock pyproject.toml
	@./deploy/make-venv $(VENV) requirements.lock
	@touch $@
