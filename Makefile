# Two commands for a fresh machine: `make demo` and `make test`. They need python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test fast lint types coverage lock clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## make .venv, install, verify the bundled sample with the bundled model
	$(BIN)/factcheck demo --out demo-output

test: $(VENV)/.installed-test ## install what tests need and run all of them
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

fast: $(VENV)/.installed-test ## the tests that take no more than seconds
	$(BIN)/python -m pytest -m "not slow"

coverage: $(VENV)/.installed-test ## all tests with a report of the lines they reach
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

lint: $(VENV)/.installed-test ## style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test ## static types
	$(BIN)/mypy

# The exact versions that the project is tested with.
lock: ## renew constraints.txt from what is installed
	$(BIN)/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools | grep -E '^[A-Za-z0-9._-]+==' > constraints.txt

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python >= 3.11 is needed, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(PIP) -e '.[test]'
	touch $@

clean: ## remove what make and builds left
	rm -rf $(VENV) build dist *.egg-info demo-output
