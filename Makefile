PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DEMO := .warrener/codestats

# Where it is set, as in images of Python, each of hundreds of processes would compile anew what it imports.
unexport PYTHONDONTWRITEBYTECODE
# Users' streams have buffers.
unexport PYTHONUNBUFFERED

.PHONY: help demo check test test-long test-cluster chaos lint bench figures profile clean

help: ## Show what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable '.[kubernetes,metrics,otel,parquet,web]' --group dev
	touch $@

demo: $(READY) ## Measure the standard library's code; BROKER=amqp://... does it on RabbitMQ
	@WARRENER_BROKER='$(or $(BROKER),embedded)' $(BIN)/python examples/codestats/demo.py $(DEMO)

lint: $(READY) ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/oxlint --quiet

# Hostile tasks are left out since most of them run into time limits.
check: lint ## The quick part, without a broker: style, types, layers, units, and whole workers in memory
	$(BIN)/pytest --numprocesses 4 -m 'not long and not sqlite and not rabbitmq' \
		tests/unit tests/conformance --ignore tests/conformance/worker/test_hostile.py

# Tests wait as much as they work: with seven at a time two cores are busy seven eighths of the time, with five three quarters. tests/schedule.py says which run together.
# What is compiled first, once, is not compiled by each of the seven.
test: lint ## Everything, on a RabbitMQ of its own
	@test -d tests/__pycache__ || $(BIN)/pytest --collect-only --quiet >/dev/null
ifdef WARRENER_TEST_BROKER
	$(BIN)/pytest --numprocesses 7
else
	$(BIN)/python -m tests.rabbitmq_server --in-memory -- $(BIN)/pytest --numprocesses 7
endif

test-long: $(READY) ## What takes minutes: a cluster of three RabbitMQ nodes, and long waits
	$(BIN)/pytest -m long

chaos: $(READY) ## Break everything at random and count; SEED=, ONLY=, MINUTES=; on your own RabbitMQ with WARRENER_TEST_BROKER
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only '$(ONLY)') \
		$(if $(MINUTES),--minutes $(MINUTES))

test-cluster: $(READY) ## On a real cluster: needs KUBECONFIG, and WARRENER_TEST_IMAGE with this project's image
	$(BIN)/pytest -x tests/cluster

bench: $(READY) ## Warrener beside its peers and targets; ONLY=race,tail TASKS= ROUNDS= CONTESTANT= JSON=
	$(BIN)/python -m benchmarks.run $(if $(ONLY),--only '$(ONLY)') $(if $(CONTESTANT),--contestant '$(CONTESTANT)') \
		$(if $(TASKS),--tasks $(TASKS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(JSON),--json '$(JSON)')

figures: $(READY) ## Measure all of it on an idle machine, and write it into docs/benchmarks.md and docs/performance.md
	$(MAKE) bench JSON=.figures.json
	$(BIN)/python -m benchmarks.page .figures.json

profile: $(READY) ## Where the time goes; TASKS=, BROKER=embedded
	$(BIN)/python -m benchmarks.profiling $(if $(TASKS),--tasks $(TASKS)) $(if $(BROKER),--broker $(BROKER))

clean: ## Remove what was installed and made
	rm -rf .venv .warrener .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
