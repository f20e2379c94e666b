# Everything a developer or CI runs. `make help` lists it.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
PY := .venv/bin/python

.PHONY: help venv up down

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: ## make .venv from the lock (brings its own uv)
	@deploy/local/venv.sh

up: venv ## start Kafka and PostgreSQL, write .local/env
	@$(PY) -m deploy.local.stack up

down: venv ## stop Kafka and PostgreSQL
	@$(PY) -m deploy.local.stack down
