# The two commands a newcomer needs: `make run` and `make test`.
# The other verbs: install · check · serve · bench · soak · spark. After `make install` the command is .venv/bin/pehle.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EVENTS ?= 1000000
ROWS ?= 100000
UV := $(shell command -v uv 2>/dev/null)

ifdef UV
INSTALL = $(UV) pip install --quiet --python $(BIN)/python
else
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

.PHONY: bench-train bench-sampling gates run test test-0 test-1 check install serve bench featuretools soak java spark clean

run: install
	@$(BIN)/pehle demo

serve: install
	@$(BIN)/pehle up

install: $(VENV)/.installed

$(VENV)/.made: serving/preflight.py
	@$(PYTHON) serving/preflight.py
	@test -x $(BIN)/python || (echo "Making $(VENV)" && $(PYTHON) -m venv $(VENV))
	@touch $@

$(VENV)/.installed: $(VENV)/.made requirements.lock pyproject.toml
	@echo "Installing the locked libraries; about a minute the first time"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.tests: $(VENV)/.installed requirements-dev.lock
	@echo "Installing what tests need"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

# Two halves at once, one a core: the tests that share the demo, which is then made once, with some long ones beside
# them; and all the rest. Threads that wait do not spin, or the halves would hold each other up. Spark's tests have a
# target of their own.
WITH_DEMO := $(shell grep -lE 'made_demo|demo_home|trained_home' tests/test_*.py)
LONG := $(patsubst %,tests/test_%.py,three_populations train each_definition simulation commands examples scoring build sending)
HALF_1 := $(sort $(WITH_DEMO) $(LONG))
HALF_0 := $(filter-out $(HALF_1) $(wildcard tests/test_spark*.py),$(sort $(wildcard tests/test_*.py)))
test-0 test-1 soak: export OMP_WAIT_POLICY := passive
test: $(VENV)/.tests
	@echo "Testing in two halves at once; about ten minutes"
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-1 test-0

test-0 test-1: test-%:
	@$(BIN)/python -m pytest -q -m "not soak" $(HALF_$*)

check: $(VENV)/.tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/test_house.py tests/test_docs.py

$(VENV)/.bench: $(VENV)/.tests requirements-bench.lock
	@$(INSTALL) --require-hashes -r requirements-bench.lock
	@touch $@

# Signals, then training, each beside what others' tools take.
bench: $(VENV)/.bench
	@$(BIN)/python tests/benchmarks/bench.py --events $(EVENTS)
	@$(BIN)/python tests/benchmarks/train_bench.py --rows $(ROWS)

# A peer of the benchmark that needs an older pandas lives in a virtual environment of its own.
featuretools: $(VENV)/.made
	@$(PYTHON) -m venv $(VENV)/featuretools
	@$(VENV)/featuretools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	  -r tests/benchmarks/featuretools.lock

bench-train: $(VENV)/.tests
	@$(BIN)/python tests/benchmarks/train_bench.py

# What learning from a sample of the customers costs; how often the gate errs. Minutes each.
bench-sampling: $(VENV)/.tests
	@$(BIN)/python tests/benchmarks/sampling_bench.py

gates: $(VENV)/.tests
	@$(BIN)/python tests/benchmarks/gate_attacks.py

soak: $(VENV)/.tests
	@$(BIN)/python -m pytest -q -m soak
	@EXAMPLES=10 $(BIN)/python -m pytest -q tests/test_build.py tests/test_features_reference.py tests/test_rollup_store.py

java:
	@$(PYTHON) serving/preflight.py java

$(VENV)/.spark: $(VENV)/.tests requirements-spark.lock | java
	@echo "Installing Spark; about 400 MB, a minute the first time"
	@$(INSTALL) --require-hashes --no-build-isolation -r requirements-spark.lock
	@touch $@

spark: java $(VENV)/.spark
	@$(BIN)/python -m pytest -q -rs $(wildcard tests/test_spark*.py)

clean:
	@rm -rf build dist .mypy_cache .ruff_cache .hypothesis .pytest_cache .import_linter_cache
