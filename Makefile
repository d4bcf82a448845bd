# The commands of README.md and of .ci/run. Every target sets up what it needs in ./.venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.base
RUN := $(VENV)/.run
DEV := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help render install wheels dev test test-fuzz test-kernel test-kernel-long test-cluster test-engine test-gitops test-node check site format mutants bench lock schema clean

help: ## Say what each target does
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 20

render: $(BASE) ## Set up the command alone, and render the dev environment into rendered/dev
	@$(BIN)/fsm-stack render dev

install: $(RUN) ## Set up everything that a mesh is brought up and verified with

wheels: $(VENV)/bin/python ## Download what an installation without a network needs, into ./wheels
	$(BIN)/python tools/install.py --wheels wheels requirements-dev.txt "every library"

dev: $(DEV) ## Set up the environment for development

test: $(DEV) ## Set up, and run the tests that need no root and no cluster
	$(BIN)/pytest -n auto -m "not kernel and not cluster and not engine and not gitops and not node"

test-fuzz: $(DEV) ## Give every reader damaged input, for about ten minutes
	FSM_STACK_FUZZ_EXAMPLES=$${FSM_STACK_FUZZ_EXAMPLES:-2000} $(BIN)/pytest -n auto tests/property

test-kernel: $(DEV) ## Load rendered scripts into a real kernel, in network namespaces (root)
	$(BIN)/pytest -m kernel

test-kernel-long: $(DEV) ## The same with thousands of generated policies
	FSM_STACK_KERNEL_POLICIES=2000 $(BIN)/pytest -m kernel

test-cluster: $(DEV) ## Build a real API server (Go), the newest and the oldest, and apply every object
	tools/build cluster newest oldest
	$(BIN)/pytest -m cluster

test-engine: $(DEV) ## Build the Pulumi engine (Go) and bring every environment up on a real API server
	tools/build engine
	$(BIN)/pytest -m engine

test-gitops: $(DEV) ## Build Argo CD's engine and Flux's controller (Go) and let them keep rendered/dev
	tools/build gitops
	$(BIN)/pytest -m gitops

test-node: $(DEV) ## Build a Kubernetes of one node (Go) and run the mesh on it (root)
	tools/build engine node
	$(BIN)/pytest -m node

check: $(DEV) ## Lint, types, layers, and whether locks, schema and renderings are current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/fsm-stack schema --check
	$(BIN)/fsm-stack validate --all --fail-on warning --without-release-assets
	$(BIN)/fsm-stack render --all --check --without-release-assets
	$(BIN)/fsm-stack contracts
	$(BIN)/fsm-stack diff --all-stacks
	$(BIN)/python tools/locks.py --check
	@$(MAKE) --no-print-directory site

site: $(DEV) ## Build the documentation into build/site; a link that leads nowhere fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site
	@echo "build/site/index.html"

format: $(DEV) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schema: $(DEV) ## Write the schemas of stack files, the MeshConfig CRD and the component anew
	$(BIN)/python tools/crd_schema.py
	$(BIN)/python tools/component_schema.py
	$(BIN)/fsm-stack schema --write

mutants: $(DEV) ## Say how many mutants the tests notice, of a sample in the rooms that decide about traffic
	$(BIN)/pip install --quiet mutmut==3.8.1
	$(BIN)/python tools/mutants.py $(ROOMS)

bench: $(DEV) ## Measure the speed goals
	@missed=0; for script in benchmarks/[a-z]*.py; do \
	  echo "== $$script"; $(BIN)/python $$script || missed=1; done; exit $$missed

lock: $(DEV) ## Resolve requirements.txt and requirements-dev.txt anew
	$(BIN)/python tools/locks.py --upgrade

clean: ## Remove the environment and caches
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "fsm-stack needs Python 3.11 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# One lock holds all of a smaller one: what has the larger one has the smaller one, too.
$(BASE): requirements-base.txt pyproject.toml tools/install.py | $(VENV)/bin/python
	@$(BIN)/python tools/install.py requirements-base.txt "the command line (8 MB)"
	@touch $@

$(RUN): requirements.txt pyproject.toml tools/install.py | $(VENV)/bin/python
	@$(BIN)/python tools/install.py requirements.txt "the command line and the SDKs of Pulumi and Kubernetes (35 MB)"
	@touch $(BASE) $@

$(DEV): requirements-dev.txt requirements.txt pyproject.toml tools/install.py | $(VENV)/bin/python
	@$(BIN)/python tools/install.py requirements-dev.txt "everything, with the tools of development (160 MB)"
	@touch $(BASE) $(RUN) $@
