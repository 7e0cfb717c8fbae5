# What is done with this repository, one word each. Everything happens in .venv; `make test` as root also installs the
# Debian packages and builds the machines that its tests need, once.

PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 4

.PHONY: env check test tools demo lab lab-down transcript bench clean

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
	$(BIN)/vermin --target=3.6- --violations --no-tips --quiet maintainer/node tasks/node maintainer/intervention_log/verifier.py
	$(BIN)/pytest -q -n $(WORKERS) --doctest-modules tests/unit maintainer tasks

# Real servers and booted nodes on a shared machine: a test that fails is run once more, and named at the end (R) if it
# passes then. What cannot be tested here is named too (s).
test: env tools
	$(BIN)/pytest -n $(WORKERS) --reruns 1 --durations=10 -rsR tests/unit tests/contract tests/e2e tests/lab

tools:
	@sh tests/tools.sh

demo: env
	@sh docs/demo.sh

lab: env tools
	@$(BIN)/python -m tests.lab up

lab-down:
	@$(BIN)/python -m tests.lab down

transcript: env
	$(BIN)/python docs/transcript.py

# Beside what it is measured against, which is installed apart; without a network those figures are left out.
bench: env
	@-$(MAKE) --no-print-directory .venv-peers/ready
	@$(BIN)/python -m bench

.venv-peers/ready:
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet 'ansible-core>=2.18' 'pyinfra>=3.5'
	touch $@

clean:
	rm -rf .venv .venv-peers
