# `make demo` is the place to begin. Every target makes `.venv` from the lock file first, with uv if it is there, else with venv and pip.

PYTHON ?= python3
PYTHONS ?= 3.11 3.12
VENV := .venv
BIN := $(VENV)/bin
RUNS := $(VENV)/.ready-for-runs
READY := $(VENV)/.ready
UV := $(shell command -v uv)
# Without compiling what may never be imported.
INSTALL := $(if $(UV),uv pip install --quiet --python $(BIN)/python,$(BIN)/python -m pip install -qq --disable-pip-version-check --no-compile)
comma := ,

.PHONY: help setup demo car-demo test test-all test-distributed test-versions lint format docs benchmarks lock clean

help:
	@echo "make setup       installs everything into $(VENV)"
	@echo "make demo        evolves a quadruped on four bodies, scores it on a fifth and writes a report"
	@echo "make car-demo    evolves a driver that sees the road, and scores it with a grip it has not met"
	@echo "make test        runs the tests, but for slow ones"
	@echo "make test-all    runs all tests"
	@echo "make test-distributed  runs the tests of many processes, also on hosts of their own, which needs root"
	@echo "make test-versions  runs the tests and a short training with the oldest and the newest allowed versions; needs uv"
	@echo "make lint        checks style, formatting and types"
	@echo "make format      formats the code"
	@echo "make docs        builds the documentation into site/"
	@echo "make benchmarks  measures speed and writes the results"
	@echo "make lock        pins the dependencies anew; needs uv"
	@echo "make clean       removes $(VENV) and everything that was built"

setup: $(READY)

# First what runs need, which is all that the demos wait for; then the tools of those who change the code.
$(RUNS): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "hebbax needs Python 3.11 or newer: run make with PYTHON=/path/to/python" >&2; exit 2; }
	@echo "Setting up $(VENV); this takes a minute or two ..."
	@$(if $(UV),uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV),"$(PYTHON)" -m venv $(VENV))
	@$(INSTALL) -c requirements.lock hatchling editables
	@$(INSTALL) -c requirements.lock --no-build-isolation -e '.[viz]'
	@touch $@

$(READY): $(RUNS)
	@echo "Adding the tools for tests and documentation ..."
	@$(INSTALL) -r requirements.lock
	@touch $@

demo: $(RUNS)
	$(BIN)/hebbax train quadruped-demo --run-dir runs/demo
	$(BIN)/hebbax evaluate runs/demo
	$(BIN)/hebbax report runs/demo --films 1

car-demo: $(RUNS)
	$(BIN)/hebbax train car-demo --run-dir runs/car-demo
	$(BIN)/hebbax evaluate runs/car-demo
	$(BIN)/hebbax report runs/car-demo

test: $(READY)
	$(BIN)/python -m pytest -q -n auto --dist loadfile

test-all: $(READY)
	$(BIN)/python -m pytest -q -n auto --dist loadfile -m ""

test-distributed: $(READY)
	$(BIN)/python -m pytest -q -m "" tests/distributed tests/evolution/test_connections.py tests/evolution/test_meeting.py tests/evolution/test_processes.py

# The oldest and the newest versions that the bounds allow, on each Python of PYTHONS; the newest also without gymnax, which holds JAX back.
VERSIONS := $(foreach python,$(PYTHONS),$(python)-oldest $(python)-newest $(python)-newest-without-gymnax)

test-versions: $(VERSIONS:%=test-version-%)

test-version-%:
	uv venv --quiet --clear --python $(firstword $(subst -, ,$*)) .cache/versions/$*
	uv pip install --quiet --python .cache/versions/$* --resolution $(if $(findstring oldest,$*),lowest-direct,highest) \
		-e '.[benchmarks,dev,slurm,tensorboard,viz$(if $(findstring without,$*),,$(comma)gymnax)]'
	export JAX_COMPILATION_CACHE_DIR=$(CURDIR)/.cache/versions/jax-$*; \
	.cache/versions/$*/bin/python -m pytest -q -n auto --dist loadfile \
	&& .cache/versions/$*/bin/hebbax train quadruped-demo --generations 2 --strategy.population-size 8 --run-dir "$$(mktemp -d)/run"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

benchmarks: $(READY)
	$(BIN)/python benchmarks/in_turn.py
	$(BIN)/python benchmarks/encoding_costs.py
	$(BIN)/python benchmarks/quadruped.py
	$(BIN)/python benchmarks/genomes.py
	$(BIN)/python benchmarks/natural_steps.py
	$(BIN)/python benchmarks/car_racing.py
	$(BIN)/python benchmarks/demo.py quadruped-demo
	$(BIN)/python benchmarks/demo.py car-demo
	$(BIN)/python benchmarks/bullet_agreement.py
	$(BIN)/python benchmarks/rules_and_encodings.py
	$(BIN)/python benchmarks/modulated_rules.py
	$(BIN)/python benchmarks/hidden_direction.py
	$(BIN)/python benchmarks/classic_control.py
	$(BIN)/python benchmarks/idle_lanes.py
	$(BIN)/python benchmarks/traffic.py
	$(BIN)/python benchmarks/many_processes.py
	$(BIN)/python benchmarks/tables.py

# One set of versions for every Python from 3.11 on. Accelerators' packages stay out: the extra `cuda` brings them.
lock:
	uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest --extra benchmarks --extra dev --extra docs --extra gymnasium --extra gymnax --extra slurm --extra tensorboard --extra viz \
		--upgrade --no-annotate --no-header --no-emit-index-url --quiet -o requirements.lock

clean:
	rm -rf $(VENV) site dist .cache .pytest_cache .ruff_cache
