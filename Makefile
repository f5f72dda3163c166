# Needs make and Python; everything else is installed into .venv and dashboard/node_modules.

PYTHON ?= python3
BIN := .venv/bin
STATIC := server/gainstage_server/static
DASHBOARD_SOURCES := $(shell find dashboard/src dashboard/public -type f 2>/dev/null) \
	$(wildcard dashboard/*.*)
# The longest first, and before them the one that is idle.
TESTS := test-soak test-monitor-a-to-g test-rest test-monitor test-faults test-server test-e2e test-jax \
	test-torch test-dashboard
CHECKS := check-types check-style check-dashboard check-ops

.PHONY: help demo test check ci $(TESTS) $(CHECKS) programs node bench matrix dashboard screenshots generate lock clean

help:
	@echo "make demo       train a model that goes wrong and watch it in the dashboard"
	@echo "make test       all tests, with what they need"
	@echo "make check      formatting, lint, types, and what operators are given"
	@echo "make bench      the benchmarks of performance and of diagnosis"
	@echo "make matrix     every kind of model in every way of training; writes docs/matrix.md"
	@echo "make dashboard  only build the dashboard"
	@echo "make screenshots  take the pictures of the dashboard anew; writes docs/pictures"
	@echo "make generate   write the checked-in files that are made from the code"
	@echo "make lock       write requirements/*.txt anew; UPGRADE=--upgrade takes newer versions"
	@echo "make clean      remove everything that these targets made"

demo: .venv/.demo-stamp $(STATIC)/index.html
	$(BIN)/gainstage demo

# Several at a time, what each says in one piece, and all of them where one fails.
TOGETHER := --jobs=3 --keep-going --output-sync=target
# They train small models side by side on few cores: more threads in each only wait for one another.
THREADS := TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1
PYTEST = $(THREADS) $(BIN)/pytest --durations=20

test:
	$(MAKE) $(TOGETHER) $(TESTS)

check:
	$(MAKE) $(TOGETHER) $(CHECKS)

ci:
# What check-ops runs is part of test-server.
	$(MAKE) $(TOGETHER) $(TESTS) $(filter-out check-ops,$(CHECKS))

# In two parts, as nothing may outlast the rest.
A_TO_G := tests/monitor/test_[a-g]*.py

test-monitor: .venv/.dev-stamp
	$(PYTEST) tests/monitor '--ignore-glob=$(A_TO_G)'

test-monitor-a-to-g: .venv/.dev-stamp
	$(PYTEST) $(A_TO_G)

test-server: .venv/.dev-stamp programs $(STATIC)/index.html
	$(PYTEST) tests/server tests/ops

test-rest: .venv/.dev-stamp programs $(STATIC)/index.html
	$(PYTEST) $(patsubst %,--ignore=tests/%,monitor server ops e2e faults)

# As root, or in `unshare --map-root-user --mount`: some fill a disk of their own.
test-faults: .venv/.dev-stamp
	$(PYTEST) tests/faults --ignore=tests/faults/test_soak.py

# Five minutes, in which it is idle for the most part.
test-soak: .venv/.dev-stamp
	$(PYTEST) tests/faults/test_soak.py

test-e2e: .venv/.dev-stamp programs $(STATIC)/index.html
	$(PYTEST) tests/e2e

test-jax test-torch: test-%: .venv/.dev-stamp
	KERAS_BACKEND=$* $(PYTEST) -m every_backend tests/monitor tests/matrix

test-dashboard: dashboard/node_modules/.stamp
	cd dashboard && ../tools/npm test

check-style: .venv/.dev-stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check

check-types: .venv/.dev-stamp
	$(BIN)/pyright

check-dashboard: dashboard/node_modules/.stamp
	cd dashboard && ../tools/npm run check

# promtool on the rules, their cases and what the server serves, amtool on Alertmanager's configuration,
# and docker-compose.yml; the programs must be there.
check-ops: .venv/.dev-stamp programs
	CI=true $(PYTEST) $(patsubst %,tests/ops/test_%.py,alerts compose dashboards runbooks) tests/server/test_metrics.py

bench: .venv/.dev-stamp
	$(BIN)/python -m benchmarks

matrix: .venv/.dev-stamp
	$(BIN)/python -m tests.matrix

dashboard: $(STATIC)/index.html

screenshots: .venv/.dev-stamp $(STATIC)/index.html
	$(BIN)/python tools/screenshots

# Tests compare these files with what the code says.
PACKAGE := server/gainstage_server
generate: .venv/.dev-stamp dashboard/node_modules/.stamp
	for made in openapi=openapi.json messages=messages.json ops.alerts=ops/alerts.yml \
		ops.metrics_page=../../docs/metrics.md; do \
		$(BIN)/python -m gainstage_server.$${made%=*} > .venv/made && \
		cp .venv/made $(PACKAGE)/$${made#*=} || exit 1; \
	done
	for page in fleet run; do \
		$(BIN)/python -m gainstage_server.ops.dashboards $$page > .venv/made && \
		cp .venv/made $(PACKAGE)/ops/grafana/$$page.json || exit 1; \
	done
	cd dashboard && ../tools/npm run types

# Two thirds of what is installed is never imported: Python compiles the rest when it is, once. Where
# it may not keep what it compiled, each process that imports TensorFlow takes 13 seconds longer.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/pip install --no-compile

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; (3, 11) <= sys.version_info < (3, 14) or sys.exit("TensorFlow \
	needs Python 3.11 to 3.13. Received: %d.%d. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv

programs: | $(BIN)/pip
	tools/test-programs

# Before all else that pip installs: where Node.js is missing it comes by pip, and two of these at a time do harm.
node: | $(BIN)/pip
	@tools/npm --version >/dev/null

.venv/.demo-stamp: requirements/demo.txt pyproject.toml | node
	$(INSTALL) --require-hashes --requirement $<
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

.venv/.dev-stamp: requirements/dev.txt requirements/torch.txt pyproject.toml | node
	$(INSTALL) --require-hashes --requirement $<
	$(INSTALL) --requirement requirements/torch.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch .venv/.demo-stamp $@

dashboard/node_modules/.stamp: dashboard/package-lock.json | node
	cd dashboard && ../tools/npm ci --no-audit --no-fund
	touch $@

$(STATIC)/index.html: dashboard/node_modules/.stamp $(DASHBOARD_SOURCES)
	cd dashboard && ../tools/npm run build
	touch $@

# One set of versions for every machine: markers in place of platforms, hashes in place of addresses.
# dev.txt comes first and holds all; the others take its versions.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" $(UPGRADE)
SUBSET = $(COMPILE) --constraint requirements/dev.txt pyproject.toml

lock: | $(BIN)/pip
	$(BIN)/pip install --quiet uv
	$(COMPILE) pyproject.toml --extra demo --extra export --extra plot --extra postgres --group build --group test --group check \
		--group generate --group node --output-file requirements/dev.txt
	$(SUBSET) --extra demo --group build --output-file requirements/demo.txt
	$(SUBSET) --extra server --extra postgres --output-file requirements/server.txt
	$(COMPILE) --constraint requirements/dev.txt --group build --output-file requirements/build.txt
	$(COMPILE) --constraint requirements/dev.txt --group node --output-file requirements/node.txt
	cd dashboard && ../tools/npm install --package-lock-only --no-audit --no-fund
	tools/without-addresses

clean:
	rm -rf .venv dashboard/node_modules $(STATIC) build dist .pytest_cache .ruff_cache .hypothesis
