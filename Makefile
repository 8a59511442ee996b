# The commands a person needs. `make paper` runs the benchmark and writes the paper; `make test` tests everything.

ifeq ($(shell uname -sm),Darwin arm64)
STUDY ?= config/models_config.yaml
else
STUDY ?= config/smollm2.yaml
endif

OFFPRINT := target/release/offprint

.PHONY: paper report test lint build fuzz bench-peers servers load adapters tables engines wheels

build: ## compile, in the one profile that everything here uses
	cargo build --release

paper: build ## run the study here unless this checkout has, then write the paper (FRESH=1 runs again, STUDY=file chooses)
	$(OFFPRINT) paper $(STUDY) $(if $(FRESH),--fresh)

report: build ## write the paper again, from records
	$(OFFPRINT) report

# Tests whose every step is a program of its own, on the fake engine: two at a time. The others are alone, since MLX belongs to one
# thread and a real model takes all cores.
TOGETHER := bundle energy http living paper sets
TESTS := $(patsubst tests/%.rs,%,$(wildcard tests/*.rs)) $(patsubst tests/%/main.rs,%,$(wildcard tests/*/main.rs))

test: build ## all that can be tested without a model hub
	cargo test --release --lib --bins $(addprefix --test ,$(filter-out $(TOGETHER),$(TESTS)))
	RUST_TEST_THREADS=2 cargo test --release $(addprefix --test ,$(TOGETHER))
	$(OFFPRINT) report --check

lint: ## what a change must pass before review
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings
	cargo clippy --release --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps

engines: build ## the study on MLX and on llama.cpp, whose crate is compiled for this processor (needs cmake), and its paper in paper-engines/
	benches/peers/with-llama-cpp.sh cargo build --release --features llama-cpp
	$(OFFPRINT) paper config/smollm2-engines.yaml --out paper-engines

# Programs of others that studies compare with, pinned, in a folder that may be deleted.
OTHERS := .cache/engines
WITH_OTHERS := PATH="$(CURDIR)/$(OTHERS)/bin:$$PATH"

adapters: $(OTHERS)/whole ## what config/peers.yaml and config/servers.yaml run beside this program
$(OTHERS)/whole: adapters/requirements.txt
	python3 -m venv $(OTHERS)
	$(OTHERS)/bin/pip install -q -r adapters/requirements.txt
	touch $@

bench-peers: adapters ## the same weights on MLX, on its own kernels, on mlx-lm and on llama.cpp, and the paper about it in paper-peers/
	$(WITH_OTHERS) benches/peers/with-llama-cpp.sh cargo build --release --features llama-cpp
	$(WITH_OTHERS) $(OFFPRINT) paper config/peers.yaml --out paper-peers

servers: build adapters ## the same weights from llama-server and mlx_lm.server beside two engines, and the paper about it in paper-servers/
	$(WITH_OTHERS) $(OFFPRINT) paper config/servers.yaml --out paper-servers

load: build adapters ## many at once: closed loops, arrivals, batches, drafts, and papers in paper-load/, paper-arrivals/, paper-batch/, paper-drafts/
	$(WITH_OTHERS) $(OFFPRINT) paper config/load.yaml --out paper-load
	$(WITH_OTHERS) $(OFFPRINT) paper config/arrivals.yaml --out paper-arrivals
	$(OFFPRINT) paper config/batch.yaml --out paper-batch
	$(OFFPRINT) paper config/drafts.yaml --out paper-drafts

wheels: ## the wheels of this tree, in dist/: the program with MLX beside it, and the verifier (needs the packages build and hatchling)
	rm -rf dist
	for project in offprint offprint-verifier; do $(or $(PYTHON),python3) -m build --wheel --no-isolation --outdir dist python/$$project || exit 1; done

tables: ## the tables of the documents again, from the committed samples; a test fails where they differ
	python3 benches/peers/documents.py

SECONDS_EACH ?= 60
fuzz: ## each fuzz target for SECONDS_EACH; needs a nightly compiler and cargo-fuzz, see fuzz/README.md
	for target in $$(cargo +nightly fuzz list); do cargo +nightly fuzz run -s none $$target -- -max_total_time=$(SECONDS_EACH) -timeout=10 -rss_limit_mb=2048 || exit 1; done
