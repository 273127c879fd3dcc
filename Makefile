# What people and CI run. Each target calls dev.py, which makes .venv by itself; nothing has to be installed first.

PYTHON ?= python3
SEEDS ?= 300
FROM ?= 0
LOCK = uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" --quiet pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo run test sim planted check format fuzz bench bench-oncall bench-queue torture oracle lock openapi senders settings clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## start Tocsin, send it alerts, page you in this terminal
	$(PYTHON) dev.py demo

run: ## start the server on 127.0.0.1:8080 (settings by TOCSIN_... variables)
	$(PYTHON) dev.py run

test: ## every test, on SQLite and on PostgreSQL; make test T=tests/unit runs a part
	$(PYTHON) dev.py test $(T)

sim: ## simulated days with everything going wrong; make sim SEEDS=1000 FROM=5000
	$(PYTHON) dev.py sim --seeds $(SEEDS) --from $(FROM)

planted: ## plant bugs in a copy of the tree, and see that the tests find each
	$(PYTHON) dev.py planted

check: ## format, lint, types, import contracts
	$(PYTHON) dev.py check

format: ## put the code into its form
	$(PYTHON) dev.py python -m ruff format .
	$(PYTHON) dev.py python -m ruff check --fix .

fuzz: ## a million mutated messages to every source (20 minutes of CPU and more)
	TEST_FUZZ=1000000 $(PYTHON) dev.py test tests/contract/test_sources_fuzz.py

bench: ## measure ingest and page latency; make bench B=--help shows the options
	$(PYTHON) dev.py bench $(B)

bench-oncall: ## measure who is on call, beside two libraries; B=--help shows the options
	$(PYTHON) dev.py bench-oncall $(B)

bench-queue: ## measure the queue with a million jobs waiting; B=--help shows the options
	$(PYTHON) dev.py bench-queue $(B)

torture: ## kill, freeze, cut off and fill up real servers, for hours; B=--help shows the options
	$(PYTHON) dev.py torture $(B)

oracle: ## who is on call against another library: every shape, zone and change of the clocks from 2005 to 2037
	TEST_ORACLE=full $(PYTHON) dev.py test tests/unit/test_oncall_oracle.py

lock: ## write both requirements files from pyproject.toml (needs uv)
	$(LOCK) --output-file requirements.txt
	$(LOCK) --extra dev --output-file requirements-dev.txt

openapi: ## write openapi/openapi.json from the code
	$(PYTHON) dev.py cli openapi --write

senders: ## write docs/senders.md from app/sources
	$(PYTHON) dev.py cli senders --write

settings: ## write docs/settings.md from app/settings.py
	$(PYTHON) dev.py cli settings --write

clean: ## remove .venv and what tools left behind
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
