# Two commands matter: `make demo ARGS=--once` (needs Python and pip only) and `make test`.
# Everything is installed into .venv from hash-locked requirements; stamps make repeats fast.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= 2
ARGS   ?=
SECONDS ?= 120
MINUTES ?= 5

PIP      := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(BIN)/python -m pip
LOCKED   := $(PIP) install --quiet --require-hashes
COMPILE  := $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
            --no-emit-trusted-host --no-header --allow-unsafe
COVERAGE ?=
ifneq ($(COVERAGE),)
  PYTEST_COVERAGE := --cov --cov-report=
endif

PYTEST := $(BIN)/pytest -n $(JOBS) --dist loadgroup --max-worker-restart 0

.DEFAULT_GOAL := help
.PHONY: help venv venv-test deps demo test check lint types imports unit schemas schemas-check \
        fuzz pytest coverage bench campaign faults mutation wheel lock format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# -- environment ------------------------------------------------------------------------------

$(VENV)/.made:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.base: $(VENV)/.made .requirements/base.txt .requirements/build.txt pyproject.toml
	$(LOCKED) -r .requirements/base.txt -r .requirements/build.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --no-index --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.base .requirements/test.txt
	$(LOCKED) -r .requirements/test.txt
	@touch $@

venv: $(VENV)/.base ## the environment to run the gateway
venv-test: $(VENV)/.test ## the environment to test it

deps: ## system packages the tests use (PostgreSQL, RabbitMQ, Chromium, xmlsec1, openssl, ...); installs them if it may
	@.deps/install

lock: venv-test ## compile the locks anew from pyproject.toml
	$(COMPILE) --strip-extras --extra postgres --extra uvloop -o .requirements/base.txt pyproject.toml
	$(COMPILE) --strip-extras -c .requirements/base.txt -o .requirements/build.txt .requirements/build.in
	$(COMPILE) --no-strip-extras -c .requirements/base.txt -c .requirements/build.txt --all-extras \
	  -o .requirements/test.txt pyproject.toml

# -- running ----------------------------------------------------------------------------------

demo: venv ## orders clear customs in front of you; ARGS=--once ends by itself
	$(BIN)/clearance demo $(ARGS)

bench: venv-test ## complete orders a second, beside this machine's limits
	$(BIN)/python -m tests.perf.bench $(ARGS)

campaign: venv-test ## MINUTES=5 of random orders, faults and kills on both stores, then the checkers
	$(BIN)/python -m tests.campaign --minutes $(MINUTES) $(ARGS)

faults: venv-test ## recall and precision of every matching rule over generated faults
	$(BIN)/python -m tests.perf.faults $(ARGS)

mutation: venv-test ## mutants of the matcher that the domain's tests kill; ARGS names some of them
	$(BIN)/mutmut run $(ARGS)
	$(BIN)/mutmut results

# -- checking ---------------------------------------------------------------------------------

test: deps venv-test check pytest ## everything: lint, types, floors, schema plan, all tests

check: lint types imports schemas-check ## what needs no test run

lint: venv-test ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: venv-test ## mypy strict
	$(BIN)/mypy

imports: venv-test ## the floors of the house
	$(BIN)/lint-imports --no-logo

schemas: venv-test ## plan data from the XSD files
	$(BIN)/python -m schemas.plan

schemas-check: venv-test ## plan data is up to date
	$(BIN)/python -m schemas.plan --check

unit: venv-test ## fast tests only
	$(BIN)/pytest -q -m "not slow" tests/unit $(ARGS)

fuzz: venv-test ## fuzz the readers; SECONDS=120 for all, ARGS=CEB622Message for one
	$(BIN)/python -m tests.fuzz.run --seconds $(SECONDS) $(ARGS)

pytest: venv-test ## all tests; COVERAGE=1 also judges branch coverage
# A browser's driver keeps a loop of its own running: its tests have processes to themselves. Worlds
# and laws repeat what other tests run once: tracing their coverage would double their time.
ifeq ($(ARGS),)
	$(PYTEST) tests/browser
	$(PYTEST) -m "sim or crash or law"
	$(PYTEST) $(PYTEST_COVERAGE) -m "not browser and not sim and not crash and not law"
else
	$(PYTEST) $(PYTEST_COVERAGE) $(ARGS)
endif
ifneq ($(COVERAGE),)
	@$(MAKE) --no-print-directory coverage
endif

coverage: ## judge the last run with COVERAGE=1: 95 % in the core, 85 % elsewhere
	$(BIN)/coverage report --format=total
	$(BIN)/coverage report --fail-under=95 \
	  --include='gateway/domain/*,schemas/*,signing/*'
	$(BIN)/coverage report --fail-under=85 \
	  --include='gateway/*,adapters/*,store/*' --omit='gateway/domain/*'

wheel: venv-test ## build the wheel and try it in a clean environment
	rm -rf build/wheel
	$(BIN)/python -m build --quiet --wheel --no-isolation --outdir build/wheel
	$(PYTHON) -m venv build/wheel/venv
	PIP_DISABLE_PIP_VERSION_CHECK=1 build/wheel/venv/bin/python -m pip install --quiet \
	  --require-hashes -r .requirements/base.txt
	PIP_DISABLE_PIP_VERSION_CHECK=1 build/wheel/venv/bin/python -m pip install --quiet \
	  --no-deps --no-index build/wheel/*.whl
	cd build/wheel && venv/bin/python ../../.ci/check_wheel.py

format: venv-test ## let ruff lay the code out
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

clean: ## remove builds, caches and the environment
	rm -rf $(VENV) build dist mutants .cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
