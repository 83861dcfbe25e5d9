# `make` alone lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= python3
VENV := .venv
BUILD := build
RUN := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
CACHES := .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
STACK_CACHE := $(or $(SEARCHACCESS_STACK_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/searchaccess-stack)

# Arguments for pytest and the bench, as in `make test-unit PYTEST="-k drift"`.
PYTEST ?=
BENCH ?=

# uv from PATH if it works; otherwise this version, in a separate environment.
UV_VERSION := 0.13.9
OWN_UV := $(BUILD)/uv/bin/uv
UV = $(or $(shell uv --version >/dev/null 2>&1 && command -v uv),$(OWN_UV))
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header \
	--no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

export SEARCHACCESS_STACK_CACHE := $(STACK_CACHE)
# Otherwise each of the hundreds of processes in tests compiles all its imports, which is two thirds of its start time.
unexport PYTHONDONTWRITEBYTECODE

##@ Try it

.PHONY: demo
demo: servers $(INSTALLED) ## Demo on real servers, step by step; KEEP=1 keeps them running, GATEWAY=1 has a Basic license
	@KEEP="$(KEEP)" GATEWAY="$(GATEWAY)" $(RUN) -m tests.demo

.PHONY: stack
stack: servers $(INSTALLED) ## Run Kubernetes and Elasticsearch for development until Ctrl-C
	@$(RUN) -m tests.stack up

.PHONY: bench
bench: servers $(INSTALLED) ## Measure performance; BENCH="--size 500" for a quick run
	@$(RUN) -m tests.bench $(BENCH)

##@ Develop

.PHONY: install
install: $(INSTALLED) ## Create .venv with the pinned dependencies and the project's packages

.PHONY: fmt
fmt: $(INSTALLED) ## Format the code and fix what can be fixed automatically
	$(RUN) -m ruff format
	$(RUN) -m ruff check --fix

.PHONY: generate
generate: $(INSTALLED) ## Generate the CRDs and reference pages from the code
	$(RUN) -m searchaccess.cli.generate

.PHONY: docs
docs: $(INSTALLED) ## Build the documentation as a website into build/site, and check its links; URL= is its address
	$(RUN) -m website $(BUILD)/site $(if $(URL),--url "$(URL)")

.PHONY: lock
lock: $(if $(filter $(OWN_UV),$(UV)),$(OWN_UV)) ## Pin the dependencies of pyproject.toml; UPGRADE=1 upgrades them
	$(COMPILE) pyproject.toml --output-file requirements/runtime.txt
	$(COMPILE) pyproject.toml --group dev --output-file requirements/dev.txt
	$(COMPILE) --group build --output-file requirements/build.txt

##@ Check and test

# Tests without servers run in parallel on all processors. The others mostly wait: two processes share them, file by
# file and in their order, and each has servers of its own. Tests in kind share one cluster and run one after the other.
SERVERLESS := $(wildcard tests/unit tests/component)
SPREAD := --numprocesses auto --dist worksteal
IN_TWO := --numprocesses 2 --dist loadfile --no-loadscope-reorder
SLOWEST := --durations=20 --durations-min=5
KIND := $(BUILD)/kind
# Tests that passed in kind are not repeated on local servers of the same release.
IN_KIND := $(BUILD)/passed-in-kind
# pytest exits with 5 if PYTEST selects no tests.
NONE_CHOSEN = { code=$$?; [[ $$code -eq 5 && -n "$(PYTEST)" ]] || exit $$code; }

.PHONY: test
test: runtimes servers lint typecheck verify ## Run all checks, then all tests on real servers, as CI does
	$(RUN) -m pytest $(SPREAD) $(SLOWEST) $(SERVERLESS) $(PYTEST) || $(NONE_CHOSEN)
	@rm -f $(IN_KIND) $(KIND)-not-tested
	$(if $(PYTEST),,tests/kind/test.sh $(RUN) $(KIND) $(SLOWEST) --keep-passed=$(IN_KIND) tests/kind tests/e2e)
	$(RUN) -m pytest $(IN_TWO) $(SLOWEST) tests $(SERVERLESS:%=--ignore=%) --leave-out=$(IN_KIND) $(PYTEST) || $(NONE_CHOSEN)
	@others="$$($(RUN) -m tests.stack releases)"; for release in $$others; do \
		echo "Again on Elasticsearch $$release, the tests that depend on it:"; \
		SEARCHACCESS_TEST_ELASTICSEARCH_VERSION=$$release $(RUN) -m pytest $(IN_TWO) $(SLOWEST) tests \
			$(SERVERLESS:%=--ignore=%) -m elasticsearch --namespaced $(PYTEST) || $(NONE_CHOSEN); \
	done
	@test ! -e $(KIND)-not-tested || cat $(KIND)-not-tested

.PHONY: test-argocd
test-argocd: servers $(INSTALLED) ## Test with Argo CD, after building it once (15 minutes); then `test` includes it
	SEARCHACCESS_TEST_ARGOCD=1 $(RUN) -m pytest tests/integration/test_argocd.py $(PYTEST)

.PHONY: test-unit
test-unit: $(INSTALLED) ## Run the unit tests, with few examples
	HYPOTHESIS_PROFILE=$(or $(HYPOTHESIS_PROFILE),quick) $(RUN) -m pytest $(SPREAD) tests/unit $(PYTEST)

.PHONY: test-component
test-component: $(INSTALLED) ## Run the tests of the whole loop without servers, with few examples
	HYPOTHESIS_PROFILE=$(or $(HYPOTHESIS_PROFILE),quick) $(RUN) -m pytest $(SPREAD) tests/component $(PYTEST)

.PHONY: lint
lint: fmt-check ## Check style and import rules
	$(RUN) -m ruff check
	$(VENV)/bin/lint-imports --no-logo
	$(VENV)/bin/hadolint operator/Dockerfile
	$(VENV)/bin/shellcheck --severity=warning .ci/run .ci/prerequisites tests/kind/*.sh \
		tests/kind/offline/node/*.sh tests/kind/offline/elasticsearch/run

.PHONY: fmt-check
fmt-check: $(INSTALLED)
	$(RUN) -m ruff format --check

.PHONY: typecheck
typecheck: $(INSTALLED) ## Check types
	$(RUN) -m mypy

.PHONY: verify
verify: $(INSTALLED) ## Check that generated files are up to date
	$(RUN) -m searchaccess.cli.generate --check

.PHONY: chart-check
chart-check: $(INSTALLED) ## Check the chart and the manifests without a server
	$(RUN) -m tests.chart.quick

##@ Release (needs Docker and Helm)

VERSION := $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' operator/src/searchaccess/__init__.py)
IMAGE ?= searchaccess-operator:$(VERSION)
RELEASE ?= $(BUILD)/release
BUILDER ?= https://searchaccess.dev/release/by-hand
# The commit, marked as dirty if files differ from it: untracked files get into the image, too.
REVISION = $(or $(shell git rev-parse HEAD 2>/dev/null),unknown)$(if $(shell git status --porcelain 2>/dev/null),-dirty)

.PHONY: image
image: ## Build the image; BUILD_IMAGE=…@sha256:… RUNTIME_IMAGE=…@sha256:… choose the base images
	docker build -f operator/Dockerfile -t "$(IMAGE)" --build-arg VERSION="$(VERSION)" \
		--build-arg REVISION="$(REVISION)" \
		$(if $(BUILD_IMAGE),--build-arg BUILD_IMAGE="$(BUILD_IMAGE)") \
		$(if $(RUNTIME_IMAGE),--build-arg RUNTIME_IMAGE="$(RUNTIME_IMAGE)") .

.PHONY: release
release: $(INSTALLED) ## Write image, chart, client, SBOM and signed provenance into build/release; KEY=private.pem [PUSHED=NAME@sha256:…]
	@test -n "$(KEY)" || { echo "KEY=FILE names the private key that signs it" >&2; exit 2; }
	rm -rf "$(RELEASE)" && mkdir -p "$(RELEASE)"
	docker save "$(IMAGE)" --output "$(RELEASE)/image.tar"
	helm package charts/searchaccess-operator --destination "$(RELEASE)"
	cd client && "$(abspath $(RUN))" -m hatchling build --directory "$(abspath $(RELEASE))"
	$(RUN) -m release sign $(if $(PUSHED),--pushed "$(PUSHED)") $(if $(UNPINNED),--unpinned) --key "$(KEY)" \
		--builder "$(BUILDER)" --revision "$(REVISION)" --lock requirements/runtime.txt --lock requirements/build.txt "$(RELEASE)"

.PHONY: verify-release
verify-release: $(INSTALLED) ## Verify a release without a network; KEY=public.pem [DIGEST=sha256:… of an image]
	@test -n "$(KEY)" || { echo "KEY=FILE names the public key" >&2; exit 2; }
	$(RUN) -m release verify $(if $(DIGEST),--image "$(DIGEST)") --key "$(KEY)" "$(RELEASE)"

##@ kind (in your Docker, or in one that it starts)

.PHONY: kind-up
kind-up: $(INSTALLED) ## Create a kind cluster with Elasticsearch and the chart
	tests/kind/up.sh $(RUN) $(KIND)

.PHONY: kind-test
kind-test: $(INSTALLED) ## Run the end-to-end tests in the kind cluster
	$(KIND)/run $(RUN) -m pytest -m e2e --stack=kind $(PYTEST)

.PHONY: kind-down
kind-down: $(INSTALLED) ## Delete the kind cluster, and the Docker that kind-up started
	tests/kind/down.sh $(RUN) $(KIND)

##@ Clean up

.PHONY: clean
clean: $(if $(wildcard $(KIND)),$(INSTALLED)) ## Remove build outputs, caches, .venv and the kind cluster
	@! test -e $(KIND) || tests/kind/down.sh $(RUN) $(KIND)
	rm -rf $(VENV) $(BUILD) dist .stack $(CACHES)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-stack
clean-stack: ## Remove the test servers; the next run takes minutes to rebuild them
	rm -rf "$(STACK_CACHE)"/{,.}{caller,kubernetes,elasticsearch,vault,secret-manager,helm,oauth2-proxy,promtool,kube-score,argo-cd,kind,coredns}-*

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Prerequisites

.PHONY: python
python:
	@.ci/prerequisites "$(PYTHON)" python

.PHONY: servers
servers:
	@.ci/prerequisites "$(PYTHON)" python servers

.PHONY: runtimes
runtimes:
	@.ci/prerequisites "$(PYTHON)" runtimes

$(INSTALLED): requirements/dev.txt pyproject.toml client/pyproject.toml | python $(if $(filter $(OWN_UV),$(UV)),$(OWN_UV))
	@test -x $(RUN) || $(UV) venv --quiet --python "$(PYTHON)" $(VENV)
	$(UV) pip sync --quiet --python $(RUN) --require-hashes requirements/dev.txt
	$(UV) pip install --quiet --python $(RUN) --no-deps --no-build-isolation --editable . --editable client
	@touch $@

$(OWN_UV): | python
	"$(PYTHON)" -m venv $(BUILD)/uv
	$(BUILD)/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
