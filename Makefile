# Two commands are all a new user needs: `make quickstart` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Of tests: one more than two cores, since many tests wait for clusters, locks and disks.
WORKERS ?= 3
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

# Tests start hundreds of processes: where no bytecode is written, each of them compiles the whole package anew.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: quickstart test test-fast lint types contracts check bench schemas clean

quickstart: $(VENV)/.run
	$(BIN)/collapse-sweep run quickstart

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-fast: $(VENV)/.dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow"

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

check: lint types contracts test

schemas: $(VENV)/.dev
	$(BIN)/collapse-sweep schema study > search_spaces/schemas/study.schema.json
	$(BIN)/collapse-sweep schema cell > search_spaces/schemas/cell.schema.json
	$(BIN)/collapse-sweep schema reference > docs/reference.md

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	touch $@

$(VENV)/.run: $(VENV)/.venv pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) --editable ".[all]" --group test --group lint
	touch $@

clean:
	rm -rf $(VENV) build dist
