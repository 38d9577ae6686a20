# Every command a contributor needs. `make` lists them.

.DEFAULT_GOAL := help
.PHONY: help servers check test demo bench chaos mutants control-plane cluster image fmt clean-cache

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name what; do printf 'make %-15s %s\n' "$$name" "$$what"; done

check: ## Check what needs no server, in minutes: formatting, lints, tests (TEST=name: those tests alone)
	@dev/test --check $(TEST)

test: ## Check everything: what `check` does, then everything on real servers (TEST=name: those tests alone)
	@dev/test $(TEST)

demo: ## See it work on a control plane of its own (KEEP=1: and stay to look around)
	@dev/demo $(if $(KEEP),--keep)

bench: servers ## Measure it on real control planes, and as root in a real cluster; N="50 200": these numbers, without the cluster
	@$(if $(N),,dev/servers --all >/dev/null)
	@cargo build --release --locked --bin nsm --bin bench
	@cargo run --quiet --release --locked --bin bench -- $(N)
	@$(if $(N),,cargo bench --locked -p lifecycle -p common --bench decide --bench store)
	@$(if $(N),,dev/packages && dev/image && cargo run --quiet --release --locked --bin bench -- --cluster)

control-plane: servers ## Start an empty control plane to play with, until Ctrl-C
	@cargo run --locked -p tests --bin control-plane

cluster: ## Start a real cluster with one node to play with, until Ctrl-C (as root)
	@dev/packages
	@dev/servers --all >/dev/null
	@cargo build --locked -p tests --bin cluster
	@cargo run --quiet --locked -p tests --bin cluster

image: ## Build the image of the release, and say how large everything in it is
	@dev/image

servers: ## Build etcd and Kubernetes from source into the cache (minutes, once)
	@dev/servers

chaos: ## Simulate all stories of the fixed set, and others for FOR seconds (600), from SEED on; then break real servers for a quarter of an hour
	@cargo test --quiet --locked -p tests --test simulation -- --ignored --nocapture many_stories all_other_stories
	@NSM_CHAOS_FOR=$(or $(FOR),600) $(if $(SEED),NSM_SEED=$(SEED)) cargo test --quiet --locked -p tests --test simulation chaos -- --ignored --exact --nocapture
	@dev/servers --all >/dev/null
	@cargo build --quiet --locked -p cli --bins --features test-timings
	@cargo test --quiet --locked -p tests --test integration program::churn:: -- --ignored --nocapture --test-threads 1

mutants: servers ## Seed bugs one by one and show which test catches each (an hour)
	@dev/mutants

fmt: ## Format the code
	@cargo fmt --all

clean-cache: ## Remove the servers that were built
	@dev/servers --clean
