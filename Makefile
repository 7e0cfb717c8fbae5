# What is done with this repository, one word each. Everything happens in .venv; nothing else on the machine is changed.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: env check types lint test demo bench clean

env: .venv/ready

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable '.[practice]' --group dev
	touch $@

check: env
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vermin --target=3.6- --violations --no-tips --quiet maintainer/node tasks/node
	$(BIN)/pytest -q -n 2 tests/unit

clean:
	rm -rf .venv
