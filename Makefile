# Every command a contributor needs. `make` lists them.

.DEFAULT_GOAL := help
.PHONY: help servers test demo bench control-plane fmt clean-cache

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do printf 'make %-15s %s\n' "$$name" "$$what"; done

test: ## Check everything: formatting, lints, all tests against real servers
	@dev/test

demo: servers ## See it work on a control plane of its own
	@cargo run --locked -p tests --bin demo

bench: servers ## Measure it on real control planes; N="50 200" selects how many namespaces
	@cargo build --release --locked -p cli
	@cargo run --release --locked -p tests --bin bench -- $(N)

control-plane: servers ## Start an empty control plane to play with, until Ctrl-C
	@cargo run --locked -p tests --bin control-plane

servers: ## Build etcd and Kubernetes from source into the cache (minutes, once)
	@dev/servers

fmt: ## Format the code
	@cargo fmt --all

clean-cache: ## Remove the servers that were built
	@dev/servers --clean
