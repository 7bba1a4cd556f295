# Two commands matter: `make run` starts everything with a demo shop, `make test` runs the tests, `make faults` those with
# stores that fail.
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check
PAGES := wangxin/web/static/.build-digest
FRONTEND := $(shell find frontend hatch_build.py -name node_modules -prune -o -type f -print 2>/dev/null)

.PHONY: run test faults check bench pages sbom clean

run: $(VENV)/.installed $(PAGES)
	@exec $(VENV)/bin/wangxin up --demo

test: $(VENV)/.dev $(PAGES)
	@$(PY) -m tests.browser
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/faults

# What needs servers of its own to kill, freeze, fill or lose: apart, so that `make test` stays short.
faults: $(VENV)/.dev
	@$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder tests/faults

check: $(VENV)/.dev
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/bandit -q -c pyproject.toml -r wangxin dispatcher menus push metrics hatch_build.py
	@$(PY) -m tests.house.rules
	@$(PY) hatch_build.py --check

bench: $(VENV)/.dev
	@$(PY) -m benchmarks.chat

# What a release is made of: dist/wangxin.cdx.json (CycloneDX).
sbom: $(VENV)/.dev
	@$(PY) deploy/sbom.py

pages: $(PAGES)

$(PAGES): $(VENV)/.installed $(FRONTEND)
	@$(PY) hatch_build.py
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else 1)' 2>/dev/null || { \
	  echo "Python 3.11, 3.12 or 3.13 is needed; '$(PYTHON)' is missing, older or newer. Install it (Debian: apt-get install python3), or name another: make PYTHON=python3.12 run"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv module is missing. Install it (Debian: apt-get install python3-venv) and run make again."; exit 1; }
	@echo "making the Python environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# The pages are built by hatch_build.py after the installation, where its progress can be seen.
$(VENV)/.installed: pyproject.toml $(VENV)/bin/python
	@echo "installing wangxin and its libraries (about a minute the first time)"
	@WANGXIN_SKIP_WEB=1 $(PIP) install --quiet --progress-bar on -e . || { \
	  echo "The installation failed; the lines above say where. Is the package registry reachable? A mirror: pip config set global.index-url …"; exit 1; }
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.installed
	@echo "installing what the tests and checks need"
	@WANGXIN_SKIP_WEB=1 $(PIP) install --quiet --progress-bar on -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) wangxin/web/static frontend/node_modules
