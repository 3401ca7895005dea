# All set-up happens here: python3 (3.11 or later), pip, make and git are enough.
PYTHON ?= python3
WORKERS ?= 2
BUDGET ?= 600
BIN := .venv/bin

export OPENBLAS_NUM_THREADS := 1
export JAX_PLATFORMS := cpu
export JAX_COMPILATION_CACHE_DIR := $(CURDIR)/.cache/jax
export JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS := 0
# hundreds of small programs that run once: learners choose a level of their own, and loops that are not emitted by
# MLIR compile in two thirds of the time
export XLA_FLAGS := --xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false

.PHONY: verify test lint types pytest docs bench mutants nightly falsify lock clean

verify: .venv/ready
	$(BIN)/mdptk verify

# the pages run one after the other, on one core: beside the tests they cost half of their time
test: lint
	$(MAKE) --no-print-directory -j 3 types pytest docs

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo --cache-dir .cache/import_linter

types: .venv/ready
	$(BIN)/basedpyright

pytest: .venv/ready
	$(BIN)/pytest -q -n $(WORKERS) --dist worksteal

# -E: warnings of a page are only seen when it is read, and a page must not be older than the library it runs
docs: .venv/ready
	$(BIN)/sphinx-build -q -W -E -d .cache/doctrees docs docs/_build/html

# peers of the benchmarks live in an environment of their own: they need older releases of what mdptk uses
bench: .venv/ready
	test -d .venv-peers || $(BIN)/uv venv -q .venv-peers
	$(BIN)/uv pip install -q --python .venv-peers/bin/python -r benchmarks/peers/requirements.txt
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python benchmarks/ucbvi.py .venv-peers/bin/python
	$(BIN)/python benchmarks/npg_batch.py
	$(BIN)/python benchmarks/solve.py .venv-peers/bin/python

# one planted error at a time, three in every algorithm: how many the checks catch, and which they do not; goes on where it was interrupted
mutants: .venv/ready
	$(BIN)/python -m tests.mutation

# what takes longer than a test may: bounds must hold the rational solution of 1,000 models of each class; true statements must not be accused in ten thousand checks
nightly: .venv/ready mutants
	$(BIN)/python -m tests.falsify.false_alarms 10000
	$(BIN)/python -m tests.algorithms.constrained.random_problems 1000
	$(BIN)/python -m tests.solve.enumeration 1000
	$(BIN)/python -m tests.solve.test_methods_at_scale
	$(BIN)/python -m tests.solve.containment 1000

# ten minutes of a processor for each statement about an exact policy gradient or mirror descent method: goes on where
# it was interrupted; make falsify NAMES="PPO '*PMD'" for some of them
falsify: .venv/ready
	$(BIN)/python -m tests.algorithms.exact_methods $(NAMES) --budget $(BUDGET) --jobs $(WORKERS)

# keeps the pins that still fit; make lock UPGRADE=--upgrade takes the newest of everything
lock: | .venv/ready
	$(BIN)/uv pip compile pyproject.toml -o requirements.lock $(UPGRADE) -q \
	    $(addprefix --extra ,dev docs gym exact fast neural cluster) \
	    --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock"

# pip installs into an environment that has no pip of its own, because Debian's python3 cannot give it one
.venv/ready: pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mdptk needs Python 3.11 or later: make PYTHON=python3.12")'
	$(PYTHON) -m venv --without-pip .venv
	$(PYTHON) -m pip --python $(BIN)/python install -q --no-deps --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf .venv .venv-peers .cache docs/_build
