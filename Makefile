# The only front door. `make` alone lists what there is.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PHASE := deploy/dev/phase

.PHONY: fuzz help setup run smoke test check e2e bench bench-keys bench-graphql bench-streams wire-bytes tutorial openapi snapshots up down release

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building, testing and running need, and fetch the dependencies
	@deploy/dev/install-test-tools
	@if command -v rustup >/dev/null; then rustup component add rustfmt clippy; fi
	@cargo fetch --locked

run: ## Start the sandbox and the three BFFs; Ctrl-C stops all
	@deploy/dev/run

smoke: ## Run the whole system for real, use it as a person would, and stop it
	@deploy/dev/smoke

test: ## Check everything that must hold, on a fresh machine too
	@$(PHASE) "test tools" deploy/dev/install-test-tools
	@$(PHASE) "format" cargo fmt --all --check
	@$(PHASE) "requirement map" deploy/dev/check-requirements
	@$(PHASE) "YAML" deploy/dev/check-yaml
	@$(PHASE) "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
	@$(PHASE) "OpenAPI contracts" deploy/dev/openapi --check
	@$(PHASE) "tests" cargo test --workspace --locked
	@$(PHASE) "binaries" cargo build --workspace --bins --locked
	@$(PHASE) "tutorial" deploy/dev/check-tutorial
	@$(PHASE) "API against its contract" deploy/dev/fuzz-contracts
	@$(PHASE) "mobile client" deploy/dev/npm-test clients/mobile
	@$(PHASE) "web client: live events" deploy/dev/npm-test clients/web/live
	@$(PHASE) "real browser" deploy/dev/npm-test clients/web/e2e
	@$(PHASE) "whole system" deploy/dev/smoke

check: ## Lint without running a test: format, clippy, scripts, words, requirement map, dependencies
	@$(PHASE) "test tools" deploy/dev/install-test-tools
	@$(PHASE) "format" cargo fmt --all --check
	@$(PHASE) "requirement map" deploy/dev/check-requirements
	@$(PHASE) "words" deploy/dev/check-words
	@$(PHASE) "YAML" deploy/dev/check-yaml
	@$(PHASE) "scripts" bash -c 'git ls-files -z .ci deploy/dev deploy/release bff-partner/assets/samples | xargs -0 grep --files-with-matches --null --max-count=1 "^#!.*bash$$" | xargs -0 shellcheck'
	@if ! command -v cargo-deny >/dev/null; then $(PHASE) "install cargo-deny" cargo install --locked cargo-deny; fi
	@$(PHASE) "dependencies" cargo deny --locked check bans licenses sources
	@$(PHASE) "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings

e2e: ## Sign in and out with a real Chromium, over TLS and two sites, against the built binaries
	@cargo build -p bff-web -p sandbox --bins --locked
	@deploy/dev/npm-test clients/web/e2e

bench: ## Measure an overload with and without the limit on concurrent requests; prints docs/RESILIENCE.md's table
	@cargo bench -p shared-lib --bench overload --locked

bench-graphql: ## Measure what GraphQL costs, refusals too; prints the tables of docs/GRAPHQL.md
	@cargo bench -p bff-mobile --bench graphql --locked

bench-streams: ## Measure 10,000 streams, 1,000 ended sessions, a reader that stops (PART=idle|logout|stopped for one)
	@deploy/dev/bench-streams $(PART)

wire-bytes: ## Compare what a phone and a browser get for the same data, in bytes; prints the table of docs/MOBILE.md
	@deploy/dev/wire-bytes

bench-keys: ## Measure what wrong keys cost, whether the time tells them apart, and how fast revocations are felt
	@cargo bench -p bff-partner --bench keys --locked
	@cargo test --release -p bff-partner --test it --locked revocations -- --ignored --nocapture

fuzz: ## Hold a running bff-web and bff-partner to their OpenAPI documents with Schemathesis, for a minute and a half
	@cargo build --workspace --bins --locked
	@deploy/dev/fuzz-contracts

tutorial: ## Follow docs/TUTORIAL.md to the letter on a copy of the tree
	@deploy/dev/check-tutorial

openapi: ## Write openapi.json of the three BFFs, and schema.graphql, anew
	@deploy/dev/openapi

snapshots: ## Accept what the snapshot tests see now; review the difference before it is committed
	@INSTA_UPDATE=always INSTA_FORCE_PASS=1 cargo test --workspace --locked
	@git status --short -- '*.snap'

up: ## Build the images and start the whole system behind an edge proxy with TLS
	@deploy/dev/up

down: ## Stop what `make up` started; its data stays (VOLUMES=1 removes it)
	@deploy/dev/compose down --remove-orphans $(if $(VOLUMES),--volumes)

release: ## Package optimised binaries into target/dist (SERVICE=bff-web for one)
	@deploy/release $(SERVICE)
