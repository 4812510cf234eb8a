PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Most tests wait for other processes more than they compute.
PROCESSES := 3

.DEFAULT_GOAL := help
.PHONY: help setup demo up test soak check sql-words format docs bench clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(INSTALLED) ## Make .venv and install everything in it (another Python: make setup PYTHON=python3.12)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not that: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
		exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "'$(PYTHON) -m venv' failed; Debian and Ubuntu keep it in the package python3-venv" >&2; exit 1; }
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup ## Send simulated nights through the real pipeline and show the tables
	$(BIN)/asleep demo

up: setup ## Run receiver, lander and Dagster on this machine until Ctrl-C
	$(BIN)/asleep up

test: setup ## Run every test, in three processes (another number: make test PROCESSES=1)
	$(BIN)/pytest -n $(PROCESSES) --dist loadfile

soak: setup ## Run the long campaigns: kills by the hundred, millions of records (hours)
	$(BIN)/pytest --soak -m soak --timeout 3600
	$(BIN)/python -m tests.benchmarks.receiver --memory 1000000
	$(BIN)/python -m tests.benchmarks.lander backlog --long

check: setup sql-words ## Lint, formatting, types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/sqlfmt --quiet --no-progressbar --check sql
	$(BIN)/pip check --disable-pip-version-check

# sqlfmt reads `//` as a comment and takes `**` and `e'\n'` apart: it would change what the SQL means without a word.
sql-words:
	@! grep -rnE --include='*.sql' "(^|[^:'])//|\*\*|(^|[^a-z0-9_])e'" sql || { \
		echo "write divide(a, b) for a // b, pow(a, b) for a ** b, chr(10) for an escape: sqlfmt breaks them" >&2; exit 1; }

format: setup sql-words ## Put Python and SQL in the one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/sqlfmt --quiet --no-progressbar sql

docs: setup ## Write docs/settings.md and docs/tables.md from the code
	$(BIN)/python -m ingest.documentation > docs/settings.md
	$(BIN)/python -m pipelines.documentation > docs/tables.md

bench: setup ## Measure receiver, lander and build against the plainest code that could do it
	$(BIN)/python -m tests.benchmarks.receiver
	$(BIN)/python -m tests.benchmarks.lander
	$(BIN)/python -m tests.benchmarks.warehouse
	$(BIN)/python -m tests.benchmarks.warehouse_days
	$(BIN)/python -m tests.benchmarks.warehouse_growth

clean: ## Remove the environment and the caches; data/ stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
