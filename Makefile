# Everything a newcomer needs: setup, demo, test, bench, check. Each sets up what it uses.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: setup demo test bench check format clean

setup: .venv/.all

# The core is enough to simulate; the rest is for the real runner, the tests and the checks.
.venv/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/.all: .venv/.core
	$(PIP) --editable '.[dev]'
	touch $@

demo: .venv/.core
	$(BIN)/tessera simulate jetson-16-clouds --policy all --policy sharded/deferred:codec=int8 \
		--out results/demo-$$(date +%Y%m%d-%H%M%S)

test: .venv/.all
	$(BIN)/python -m pytest

bench: .venv/.core
	$(BIN)/python -m experiments.bench

check: .venv/.all
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .bench build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
