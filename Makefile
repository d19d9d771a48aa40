# What people do with the project; `make help` lists it.

SHELL := /bin/bash
CARGO ?= cargo
# A machine that builds once has no use for what a second build would reuse.
ifeq ($(CI),true)
export CARGO_INCREMENTAL ?= 0
endif
DEV_STORE ?= sqlite:dev.db
PAGE = clients/web/packages/page/dist

.PHONY: help run page build bench test test-rust test-python test-web faults mutants fuzz lint fmt proto tools clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

run: ## Build and start a development server, page and all, on http://127.0.0.1:8080.
	@bash clients/web/build.sh || echo "run: the page could not be built (see above)" >&2
	page=; [ ! -e $(PAGE)/index.html ] || page="--page $(PAGE)"; \
	$(CARGO) run --bin adda -- serve --dev --listen 127.0.0.1:8080 --store $(DEV_STORE) --bus memory: $$page

page: ## Build the web page, clients/web/packages/page/dist; needs Node.
	bash clients/web/build.sh

build: ## Build the release binary, target/release/adda.
	$(CARGO) build --release

tools: ## Make the machine ready for the tests: mongod and Redis, where they are missing.
	bash scripts/tools.sh

test: tools lint test-rust test-python test-web ## Install what is needed, then run all tests.

# Tests that restart whole deployments, and look at how long that takes: one at a time, after the others.
ALONE = drain::rolling deploy::proxy::a_rolling
# Servers that fail, a minute and a half each on both pairs of backends: the same harm each time, so that what
# fails is what was changed. make faults takes another seed each time, and as long as it is given.
FAULTS = faults::promises

# They wait more than they work: twice as many at once as there are cores.
THREADS ?= $(shell expr 2 \* $$(nproc 2>/dev/null || echo 2))

test-rust: tools ## The tests in Rust, against a real MongoDB and a real Redis.
	$(CARGO) test --all-targets -- --test-threads=$(THREADS) $(addprefix --skip ,$(ALONE) $(FAULTS))
	$(CARGO) test --test it -- --nocapture --test-threads=1 $(ALONE)
	ADDA_FAULTS_SEED=$(or $(SEED),1) $(CARGO) test --test it -- --nocapture --test-threads=1 $(FAULTS)

test-python: ## A client in Python, written from the protos and the README.
	$(CARGO) build --bin adda
	bash tests/python/run.sh

test-web: tools ## The web client: units, and people in a browser against a real server, on both pairs.
	$(CARGO) build --bin adda
	bash clients/web/test.sh

faults: tools ## Harm servers and links while clients talk: FOR=600 (seconds), SEED=, FLAGS=short|default|both; kill nodes that push: KILLS=1000.
	ADDA_FAULTS_SECONDS=$(or $(FOR),600) ADDA_FAULTS_SEED=$(SEED) ADDA_FAULTS_FLAGS=$(or $(FLAGS),both) \
		$(CARGO) test --test it -- --nocapture --test-threads=1 faults::promises_hold_while_servers_fail
	ADDA_PUSH_KILLS=$(or $(KILLS),1000) ADDA_PUSH_SEED=$(SEED) \
		$(CARGO) test --test it -- --nocapture push::killed

mutants: tools ## Build the program with bugs on purpose, and see that the faults find each.
	ADDA_MUTANTS=1 CARGO_TARGET_DIR=target/mutants \
		$(CARGO) test --test it -- --nocapture --test-threads=1 faults::mutants

fuzz: ## Try what anybody may send with bytes of every sort: FOR=600 (seconds each).
	bash scripts/fuzz.sh $(or $(FOR),600)

lint: ## Format, clippy, the protos, the dependencies.
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets $(if $(CI),-- -D warnings)
	@if command -v npx >/dev/null; then npx --yes @bufbuild/buf@1.75.0 lint; \
	elif [ "$(CI)" = true ]; then echo "lint: no npx, and CI does not skip" >&2; exit 1; \
	else echo "skipped: buf lint, for there is no npx" >&2; fi
	bash scripts/deny.sh

fmt: ## Format the code.
	$(CARGO) fmt

bench: build ## Measure on both pairs of backends; writes benches/RESULTS.md. Takes an hour; see scripts/bench.py --help.
	bash scripts/tools.sh
	python3 scripts/bench.py $(BENCH)

clean: ## Remove what was built.
	$(CARGO) clean
