# Everything a newcomer needs: setup, demo, test, bench, check. Each sets up what it uses.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: setup packages demo docs test bench experiments check format compile uncompile clean

setup: packages .venv/.all .venv/.compiled

# Programs that emulated links and their tests, and those of reports, need, as PROGRAM:DEBIAN-PACKAGE[+PACKAGE].
PROGRAMS := iperf3:iperf3 ping:iputils-ping ip:iproute2 nsenter:util-linux cc:gcc+libc6-dev linux.uml:user-mode-linux \
	mnexec:mininet brctl:bridge-utils ifconfig:net-tools chromium:chromium

packages:
	@missing=""; for pair in $(PROGRAMS); do \
		command -v $${pair%%:*} >/dev/null || missing="$$missing $$(echo $${pair##*:} | tr + " ")"; \
	done; \
	if [ -z "$$missing" ]; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing$$missing"; \
		{ apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing; } >/dev/null; \
	else echo "without these some tests are left out: sudo apt-get install$$missing"; fi

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
COMPILED := $(addprefix sim/engine/,agenda.py clock.py flows.py sharing.py fairness.py bundles.py \
	network.py congestion.py conditions.py paths.py jitter.py window.py connections.py transport.py \
	caches.py world.py execution.py prices.py arrivals.py losses.py messages.py simulator.py \
	$(addprefix servers/,server.py fifo.py memory.py noise.py disciplines.py turns.py service.py \
	pool.py batching.py background.py autoscaling.py fetching.py assembly.py)) sim/walk.py sim/course.py

compile: .venv/.compiled

# mypyc puts what all compiled modules share at the root; it belongs where Python looks anyway. Its
# path is kept: mypy's own such file lies there, too.
SHARED := .venv/.shared
.venv/.compiled: .venv/.all $(COMPILED)
	@rm -rf build
	@if command -v cc >/dev/null; then \
		echo "compiling the simulator's hot modules"; \
		$(BIN)/mypyc --strict $(COMPILED) >.venv/compile.log 2>&1 || { cat .venv/compile.log; exit 1; }; \
		cat $(SHARED) 2>/dev/null | xargs rm -f; \
		mv *__mypyc*.so .venv/lib/python*/site-packages/ -v | sed "s/.*-> '\(.*\)'/\1/" >$(SHARED); \
	else echo "no C compiler (cc): the simulator stays plain Python"; fi
	@rm -rf build
	@touch $@

uncompile:
	@cat $(SHARED) 2>/dev/null | xargs rm -f
	rm -f .venv/.compiled $(SHARED) $(patsubst %.py,%.*.so,$(COMPILED))

demo: .venv/.core
	$(BIN)/tessera simulate jetson-16-clouds --policy all --policy sharded/deferred:codec=int8 \
		--out results/demo-$$(date +%Y%m%d-%H%M%S)

# Any warning, as of a link to nowhere, ends it: mkdocs counts none under --quiet.
docs: .venv/.all
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file docs/mkdocs.yml
	@echo "the documentation is in .site: open .site/index.html"

test: packages .venv/.all .venv/.compiled
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

bench: .venv/.all .venv/.compiled
	$(BIN)/python -m experiments.bench
	$(BIN)/python -m experiments.bench.overhead
	$(BIN)/python -m experiments.bench.reporting
	$(BIN)/python -m real_runner.bench.transport
	$(BIN)/python -m real_runner.bench.encoder
	$(BIN)/python -m real_runner.bench.decoding

# What can be simulated in a few minutes; those that emulate links ask for more than a machine alone.
QUESTIONS := policies schedulers how_many_clouds how_fast_a_link where_the_deadline_holds \
	what_a_coalition_sees who_copes_with_stragglers what_faults_cost what_a_request_costs

experiments: .venv/.all .venv/.compiled
	mkdir -p results/experiments
	@for question in $(QUESTIONS); do \
		echo "== $$question"; \
		$(BIN)/python -m experiments.questions.$$question jetson-16-clouds results/experiments/$$question.png || exit; \
	done
	$(BIN)/python -m experiments.questions.where_to_cut small-llama results/experiments/where_to_cut_small.png
	$(BIN)/python -m experiments.questions.where_to_cut llama2-7b-jetson-cloud results/experiments/where_to_cut.png

check: .venv/.all
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy docs/hooks.py docs/reference
	$(BIN)/lint-imports

format: .venv/.all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: uncompile
	rm -rf .venv .bench .site build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
