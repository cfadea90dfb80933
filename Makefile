# `make` lists what there is. Every tool that is not on the machine comes from tools.mod or a package-lock.json.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

version := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
step := scripts/step.sh
tool := CGO_ENABLED=0 go tool -modfile=tools.mod
has := scripts/setup.sh -has
loopback := PORCHLIGHT_BIN=$(CURDIR)/bin/porchlight scripts/loopback.sh

# How long each fuzz target runs in `make test` and in `make soak`.
FUZZ_TIME ?= 5s
SOAK_TIME ?= 10m

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Build, then start a server for development and an example on it, until Ctrl-C
	@scripts/run.sh

.PHONY: build
build: ## Build bin/porchlight, one static binary, with the demo in it where Node is there
	@if ! $(has) web || ! $(MAKE) -s _dist; then echo "LEFT OUT: the demo, for its page could not be built. The server does without it."; fi
	@CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(version)' -o bin/porchlight ./cmd/porchlight

.PHONY: setup
setup: ## Install what the tests need and is missing, or say what it leaves out
	@scripts/setup.sh

.PHONY: check
check: setup ## Quick checks: format, vet, lint, types, generated files, unit tests
	@$(step) 'gofmt' $(MAKE) -s _gofmt
	@$(step) 'go vet' go vet ./...
	@$(step) 'golangci-lint' $(MAKE) -s lint
	@$(step) 'generated files are fresh' scripts/generated.sh
	@if $(has) web; then $(step) 'biome and tsc' $(MAKE) -s _web; fi
	@$(step) 'unit tests' go test -short -timeout 3m ./...
	@if $(has) postgres; then $(step) 'the store on PostgreSQL' scripts/postgres.sh go test -short -timeout 3m -run Postgres ./internal/store; fi
	@scripts/setup.sh -check

.PHONY: test
test: ## All that CI asks for: check, every suite with -race, the official SDK, 5 s of each fuzz target
	@$(step) 'make test' $(MAKE) -s _test
	@scripts/setup.sh -check

.PHONY: generate
generate: ## Make anew what is generated and committed: the store's queries
	@cd internal/store && CGO_ENABLED=0 go tool -modfile=$(CURDIR)/tools.mod sqlc generate

.PHONY: site
site: _npm _gen ## Build the documentation as a site, in web/site/dist, and follow its links
	@npm --prefix web run --silent site

.PHONY: soak
soak: setup ## The long runs: every seeded defect, a million seeds and cycles, each fuzz target for SOAK_TIME (10m)
	@$(step) 'every seeded defect is caught' scripts/defects.sh
	@$(step) 'the simulator: a million seeds' scripts/simulate.sh 1000000
	@$(step) 'every state of a small world, 12 events deep' env PORCHLIGHT_DEPTH=12 go test -v -run '^TestScope' -timeout 2h ./internal/status
	@$(step) 'a million cycles leave nothing behind' go test -run '^$$' -bench Leaves ./internal/status
	@$(step) 'soak: each fuzz target for $(SOAK_TIME)' scripts/fuzz.sh $(SOAK_TIME)

.PHONY: defects
defects: ## Seed each defect of testdata/defects in a copy of the tree; its test must catch it
	@scripts/defects.sh

.PHONY: bench
bench: ## Benchmarks of all packages
	@go test -run '^$$' -bench . -benchmem ./...

.PHONY: latency
latency: setup build _npm ## How soon the official SDK sees a status change
	@$(loopback) npm --prefix web run latency

.PHONY: lint
lint: ## golangci-lint as .golangci.yml says
	@$(tool) golangci-lint run

.PHONY: fmt
fmt: ## Format the Go and TypeScript files
	@$(tool) golangci-lint fmt
	@if $(has) web; then $(MAKE) -s _npm && npm --prefix web run --silent format; fi

.PHONY: clean
clean: ## Remove what was built and installed here; never porchlight-data
	@rm -rf bin internal/console/demo/dist/chat.js web/*/dist web/sdk/src/*.gen.ts web/node_modules web/*/node_modules examples/*/node_modules

# The parts of the above.

.PHONY: _test _gofmt _web _npm _gen _dist _sdk _postgres

# Last come the Go suites: their closing lines tell a reader of the log's end that tests ran.
_test:
	@$(MAKE) -s check
	@if $(has) web && $(has) loopback; then $(step) 'the official SDK and ours against the server' $(MAKE) -s _sdk; fi
	@if $(has) web; then $(step) 'the documentation as a site' $(MAKE) -s site; fi
	@if $(has) postgres; then $(step) 'the store and the server on PostgreSQL' $(MAKE) -s _postgres; fi
	@if $(has) race; then $(step) 'every suite, with the race detector' env PORCHLIGHT_DEPTH=4 go test -race -timeout 8m ./...; \
		else $(step) 'every suite, without the race detector' go test -timeout 8m ./...; fi
	@$(step) 'the simulator: 20,000 seeds, and every state of a small world' \
		env PORCHLIGHT_SEED=1-20000 go test -v -run '^(TestSimulate|TestScope)$$' -timeout 8m ./internal/status
	@$(step) 'five seeded defects are caught' scripts/defects.sh 5
	@$(step) 'each fuzz target for $(FUZZ_TIME)' scripts/fuzz.sh $(FUZZ_TIME)

_gofmt:
	@unformatted=$$(gofmt -l $$(go list -f '{{.Dir}}' ./...)); \
		if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi

_npm:
	@for lock in web/package-lock.json examples/*/package-lock.json; do scripts/npm.sh "$$(dirname "$$lock")"; done

# What the TypeScript SDK takes from the server's source. Not committed: it is made wherever it is needed.
_gen:
	@CGO_ENABLED=0 go run ./internal/wire/tsgen web/sdk/src

_web: _npm _gen
	@npm --prefix web run --silent check

# The server keeps its data in PostgreSQL where the address of a test server is set, and its suites run there: those of
# status, sessions and applications, for the others would tell of the database what these have told.
on_postgres := internal/server/status_test.go internal/server/session_test.go internal/server/app_test.go
_postgres:
	@scripts/postgres.sh go test -timeout 8m -run Postgres ./internal/store
	@scripts/postgres.sh go test -timeout 8m -short -run "^($$(sed -n 's/^func \(Test[A-Za-z0-9_]*\).*/\1/p' $(on_postgres) | paste -sd'|'))$$" ./internal/server

# The demo's page takes our SDK from here into the binary.
_dist: _npm _gen
	@npm --prefix web run --silent build
	@cp web/sdk/dist/index.js internal/console/demo/dist/chat.js

_sdk: build
	@$(loopback) npm --prefix web test
