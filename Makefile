# The commands a person needs. `make paper` runs the benchmark and writes the paper; `make test` tests everything.

ifeq ($(shell uname -sm),Darwin arm64)
STUDY ?= config/models_config.yaml
else
STUDY ?= config/smollm2.yaml
endif

OFFPRINT := target/release/offprint

.PHONY: paper report test lint build

build: ## compile, in the one profile that everything here uses
	cargo build --release

paper: build ## run the study here unless this checkout has, then write the paper (FRESH=1 runs again, STUDY=file chooses)
	$(OFFPRINT) paper $(STUDY) $(if $(FRESH),--fresh)

report: build ## write the paper again, from records
	$(OFFPRINT) report

test: build ## all that can be tested without a model hub; MLX is single-threaded by design, so are its tests
	cargo test --release
	$(OFFPRINT) report --check

lint: ## what a change must pass before review
	cargo fmt --check
	cargo clippy --release --all-targets -- -D warnings
	cargo clippy --release --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --release --no-deps
