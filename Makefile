# Glidepath's tasks; `make help` lists them.

SWIFT ?= swift
FORMAT = $(SWIFT) format
FORMAT_FLAGS = --configuration .swift-format
# Generated code is not ours to format.
SWIFT_FILES = $(shell find Sources Tests Package.swift -name '*.swift' -not -path '*/Generated/*')

.DEFAULT_GOAL := help
.PHONY: help setup build gateway demo gateway-demo test lint modules format bench fuzz clean

help: ## List the tasks.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: ## Install the Debian packages that are missing.
	@deploy/setup.sh

build: setup ## Build the optimized executable.
	$(SWIFT) build -c release --product glidepath

demo: build ## Retrain on the bundled vLLM log and hot-reload the result.
	@PATH="$$($(SWIFT) build -c release --show-bin-path):$$PATH" deploy/demo.sh

gateway: build ## Build the gateway's servers, optimized.
	$(SWIFT) build -c release --product glidepath-gateway

gateway-demo: gateway ## Route with a real Envoy, learn from the log, reload, compare.
	@PATH="$$($(SWIFT) build -c release --show-bin-path):$$PATH" ENVOY="$$(deploy/fetch-envoy.sh)" \
	  deploy/gateway-demo.sh

test: setup lint modules ## Lint, check the module map, run all tests.
	$(SWIFT) build --build-tests
	ENVOY="$$(deploy/fetch-envoy.sh)" $(SWIFT) test --skip-build --skip GlidepathTests
	.ci/check-allocations.sh
	$(SWIFT) build -c release --product glidepath
	GLIDEPATH="$$($(SWIFT) build -c release --show-bin-path)/glidepath" \
	  $(SWIFT) test --skip-build --filter GlidepathTests

lint: ## Check the format of every Swift file.
	@$(FORMAT) lint --strict $(FORMAT_FLAGS) $(SWIFT_FILES)

modules: setup ## Check who imports whom against Sources/README.md.
	@.ci/check-modules.sh

format: ## Format every Swift file in place.
	$(FORMAT) -i $(FORMAT_FLAGS) $(SWIFT_FILES)

bench: setup ## Measure against peers (needs Python for the peers).
	Benchmarks/run.sh

fuzz: setup ## Feed mutated logs and coefficient files to sanitized readers.
	Fuzz/run.sh

clean: ## Remove build products and the demo's workspace.
	rm -rf .build .demo
