PYTHON ?= python3
BIN := .venv/bin

.PHONY: book test clean
.DELETE_ON_ERROR:

.venv/ready: constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "xlv needs Python 3.11 or newer; set PYTHON=…")'
	@$(PYTHON) -m venv .venv
	@echo "installing pinned packages into .venv (a few minutes)"
	@$(BIN)/pip install --progress-bar off --quiet --disable-pip-version-check --constraint constraints.txt torch==2.13.0
	@$(BIN)/pip install --progress-bar off --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch .venv/ready

book: .venv/ready
	@$(BIN)/xlv book --profile quick

test: .venv/ready
	@$(BIN)/python -m pytest

clean:
	rm -rf build _build
