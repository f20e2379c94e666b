# Everything a developer or CI runs. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Where Python may not keep what it compiles, each of the hundreds of processes of a run would compile the service anew.
unexport PYTHONDONTWRITEBYTECODE

PY := .venv/bin/python
# Arguments for pytest: make test ARGS="-k timeline"
ARGS ?=
# Modules that keep generated files true, and the house in order. Each is run with --check and fails where it finds something.
CHECKS := deploy.local.lock tests.checks.schemas tests.checks.reference tests.checks.diagram tests.checks.house

.PHONY: help venv up down demo unit test check format bench faults fuzz world mutants lock clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## make .venv from the lock (brings its own uv)
	@deploy/local/venv.sh

up: venv ## start Kafka and PostgreSQL, write .local/env
	@$(PY) -m deploy.local.stack up

down: venv ## stop Kafka and PostgreSQL
	@$(PY) -m deploy.local.stack down

demo: venv ## local stack, service and simulator; prints a tracking page to look at
	@$(PY) -m deploy.local.demo

# Of what each of thousands of short tests costs: no thread that waits for a hang (the time limit tells where it hung, too),
# and chance is seeded once a run: a test that wants some makes its own.
SHORT := -n 2 --dist loadfile --no-loadscope-reorder -o faulthandler_timeout=0 --randomly-dont-reset-seed --hypothesis-profile=quick

unit: venv ## run the tests that need no server and take no seconds (half a minute)
	@$(PY) -m pytest $(SHORT) -m "not slow" tests/unit $(ARGS)

# What fails beside others is asked once more, alone, and named: a machine that is too busy is no fault of the code, and a fault shows again.
PYTEST := $(PY) -m pytest --timeout=360 -o faulthandler_timeout=330 --ignore=tests/faults --ignore=tests/benchmarks

test: venv ## run the tests, four files at a time (starts the stack, and stops it if it did)
	@TEST_PATIENCE=3 TEST_FORKED=1 $(PY) -m deploy.local.stack during bash -c '$(PYTEST) -n 4 --dist loadfile --no-loadscope-reorder "$$@" || { \
		[[ $$? == 1 ]] || exit 1; echo "test: once more, alone, what failed; if it passes now, it is to be looked at all the same" >&2; \
		$(PYTEST) --last-failed --last-failed-no-failures=none "$$@"; again=$$?; \
		[[ $$again != 5 ]] || { echo "test: what a process had at hand when it crashed has passed in another one" >&2; exit 0; }; exit $$again; }' pytest $(ARGS)
	# Once more with values that are as frozen as the type checker thinks: ADR 13. Not where some tests were asked for.
	@$(if $(ARGS),,$(PY) -m pytest -q $(SHORT) -p tests.support.frozen --durations=0 --durations-min=5 tests/unit/domain tests/unit/wire)

check: venv ## format, lint, types, layers, generated files
	@$(PY) -m ruff format --check --quiet . || { echo "check: run \`make format\`" >&2; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy --no-error-summary
	@.venv/bin/lint-imports > .local/lint-imports.log || { cat .local/lint-imports.log; exit 1; }
	@for check in $(CHECKS); do $(PY) -m $$check --check; done
	@echo "check: all good"

format: venv ## format the code and mend what ruff can mend
	@$(PY) -m ruff format --quiet .
	@$(PY) -m ruff check --quiet --fix .

bench: venv ## measure throughput and latency
	@$(PY) -m tests.benchmarks $(ARGS)

faults: venv ## kill, freeze and cut things while the service works (minutes)
	@$(PY) -m pytest tests/faults -o faulthandler_timeout=1400 $(ARGS)
	@$(if $(ARGS),,TEST_THOROUGH=1 $(PYTEST) -m "thorough or shared_out")
	@$(PY) -m tests.faults.table

# How many histories, and how many at a time; KEPT=FILE goes on from there: make world SEEDS=100000 JOBS=2 KEPT=.local/world.json
SEEDS ?= 1000
JOBS ?= 1
KEPT ?=

world: venv ## play many histories of the whole service in a simulated world, each from a seed
	@$(PY) -m tests.world --seeds $(SEEDS) --jobs $(JOBS) $(if $(KEPT),--kept $(KEPT)) $(ARGS)

fuzz: venv ## make up more than 5,000 requests from the OpenAPI document (minutes)
	@RETURNS_TEST_API_CASES=$${RETURNS_TEST_API_CASES:-600} $(PY) -m deploy.local.stack during \
		$(PY) -m pytest -s -o faulthandler_timeout=0 tests/contract/test_openapi.py $(ARGS)

mutants: venv ## change the code in small ways and see whether tests notice (ARGS="--full": all; ARGS=domain: one package)
	@nice -n 15 $(PY) -m tests.checks.mutants $(ARGS)

lock: ## write the locks anew after a change of pyproject.toml
	@[[ -x .venv/bin/uv ]] || deploy/local/venv.sh || true
	@PATH="$$PWD/.venv/bin:$$PWD/.local/uv/bin:$$PATH" python3 -m deploy.local.lock
	@deploy/local/venv.sh

clean: ## stop the stack, delete its data and everything else that make made
	@if [[ -x $(PY) && -d .local ]]; then $(PY) -m deploy.local.stack clean; fi
	@rm -rf .local .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
