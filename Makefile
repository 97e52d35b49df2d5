# Everything a newcomer needs: setup, demo, test, bench, check. Each sets up what it uses.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: setup demo test bench check format compile uncompile clean

setup: .venv/.all .venv/.compiled

# The core is enough to simulate; the rest is for the real runner, the tests and the checks.
.venv/.core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --editable .
	touch $@

.venv/.all: .venv/.core
	$(PIP) --editable '.[dev]'
	touch $@

# The hot modules once more, compiled by mypyc from the very same source: same results bit for bit,
# two to three times the speed. Without a C compiler everything runs as plain Python.
COMPILED := $(addprefix sim/engine/,agenda.py clock.py flows.py sharing.py fairness.py network.py \
	congestion.py paths.py connections.py transport.py \
	world.py execution.py losses.py simulator.py $(addprefix servers/,server.py fifo.py memory.py noise.py pool.py \
	batching.py background.py autoscaling.py assembly.py)) sim/walk.py

compile: .venv/.compiled

# mypyc puts what all compiled modules share at the root; it belongs where Python looks anyway.
.venv/.compiled: .venv/.all $(COMPILED)
	@rm -rf build
	@if command -v cc >/dev/null; then \
		echo "compiling the simulator's hot modules"; \
		$(BIN)/mypyc --strict $(COMPILED) >.venv/compile.log 2>&1 || { cat .venv/compile.log; exit 1; }; \
		rm -f .venv/lib/python*/site-packages/*__mypyc*.so; \
		mv *__mypyc*.so .venv/lib/python*/site-packages/; \
	else echo "no C compiler (cc): the simulator stays plain Python"; fi
	@rm -rf build
	@touch $@

uncompile:
	rm -f .venv/.compiled .venv/lib/python*/site-packages/*__mypyc*.so sim/*.so sim/engine/*.so

demo: .venv/.core
	$(BIN)/tessera simulate jetson-16-clouds --policy all --policy sharded/deferred:codec=int8 \
		--out results/demo-$$(date +%Y%m%d-%H%M%S)

test: .venv/.all .venv/.compiled
	$(BIN)/python -m pytest

bench: .venv/.all .venv/.compiled
	$(BIN)/python -m experiments.bench

check: .venv/.all
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/.all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: uncompile
	rm -rf .venv .bench build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
