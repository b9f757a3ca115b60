# `make help` lists what there is. Needs only make, git and some python3 with venv and pip: a private
# uv is fetched when none is on PATH, and uv finds or fetches the Python named in .python-version.

PYTHON ?= python3
PORT ?= 5006
# The share of core's lines and branches that the tests must reach, in per cent.
CORE_COVERAGE ?= 98

PY := .venv/bin/python
PY_OLD := .venv-numpy2.0/bin/python

ifeq ($(shell uv --version >/dev/null 2>&1 && echo yes),yes)
UV := uv
UV_READY :=
else
UV := .uv/bin/uv
UV_READY := .uv/bin/uv
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help serve site test lint format unit ui numpy2 bench bench-site parity browser environment lock clean

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

serve: environment ## the cockpit, at http://localhost:5006 (PORT=... for another port)
	.venv/bin/flockpit serve --port $(PORT)

site: environment ## the same without a server: a folder of static files in build/site (RUNTIME=folder)
	$(PY) -m flockwasm site --out build/site $(if $(RUNTIME),--runtime $(RUNTIME))

test: lint unit ui numpy2 ## everything: lint, types, import rules, tests with coverage, browser, numpy 2.0.2

lint: environment ## ruff, mypy (core: --strict), import rules
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports --no-logo

format: environment ## mend what ruff can mend
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

unit: environment ## the tests that need no browser, with coverage
	$(PY) -m pytest -m "not ui" -n auto --cov --cov-report= --durations=10 --durations-min=0.25
	$(PY) -m coverage report
	@echo "core's lines and branches covered, in per cent; $(CORE_COVERAGE) at least:"
	$(PY) -m coverage report --include="core/*" --format=total --fail-under=$(CORE_COVERAGE)

ui: environment browser ## the tests that drive a real browser
	$(PY) -m pytest -m ui tests/ui

numpy2: .venv-numpy2.0/.installed ## core's fast tests on numpy 2.0.2, the browser's version
	$(PY_OLD) -m pytest tests/core -m "not slow" -p no:cacheprovider -q

bench: .venv/.bench ## measure, beside scipy and pyamg; ratios and times are printed, never asserted
	$(PY) tests/benchmarks/tick.py
	$(PY) tests/benchmarks/hodge.py
	$(PY) tests/benchmarks/barrier.py

bench-site: site browser ## measure the static site: sizes, starts, frames per second, time of a tick
	$(PY) tests/benchmarks/site.py --site build/site

parity: site ## run every scenario natively and on the site's Python (needs Node), and compare
	$(PY) -m flockwasm parity --site build/site

browser: environment # find Chromium or install it, and say which
	$(PY) tests/ui/find_chromium.py --install

environment: .venv/.installed # .venv as the pins say, with flockpit installed for editing

.venv/.installed: requirements.txt pyproject.toml .python-version $(UV_READY)
	$(PY) -c "" 2>/dev/null || $(UV) venv --clear .venv
	$(UV) pip sync --python $(PY) --require-hashes requirements.txt
	$(UV) pip install --python $(PY) --no-deps --no-build-isolation --editable .
	@touch $@

# The solvers to be measured beside are of no use to the tests, which must pass without them.
.venv/.bench: requirements-bench.txt .venv/.installed
	$(UV) pip install --python $(PY) --require-hashes -r requirements-bench.txt
	@touch $@

.venv-numpy2.0/.installed: requirements-numpy2.0.txt .python-version $(UV_READY)
	$(PY_OLD) -c "" 2>/dev/null || $(UV) venv --clear .venv-numpy2.0
	$(UV) pip sync --python $(PY_OLD) --require-hashes requirements-numpy2.0.txt
	@touch $@

# Made from the root folder: a version manager that obeys .python-version may lack that very Python,
# which uv brings later.
.uv/bin/uv: requirements-uv.txt
	cd / && $(PYTHON) -m venv --clear "$(CURDIR)/.uv"
	.uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt
	@touch $@

lock: $(UV_READY) ## renew the pins (uv.lock stays out of git: it names hosts)
	$(UV) lock --upgrade
	$(UV) export --quiet --no-emit-project --all-groups --extra cluster --extra proofs \
		--format requirements-txt --no-header --output-file requirements.txt
	$(UV) export --quiet --no-emit-project --no-dev --extra bench \
		--prune bokeh --prune panel --prune param --prune tqdm \
		--format requirements-txt --no-header --output-file requirements-bench.txt
	printf 'numpy==2.0.2\npytest\nhypothesis\n' | $(UV) pip compile --quiet --universal \
		--generate-hashes --no-header --python-version 3.12 --output-file requirements-numpy2.0.txt -
	printf 'uv\n' | $(UV) pip compile --quiet --universal --upgrade \
		--generate-hashes --no-header --python-version 3.8 --output-file requirements-uv.txt -

clean: ## remove every environment and cache
	rm -rf .venv .venv-numpy2.0 .uv build dist htmlcov test-results .coverage .benchmarks
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
