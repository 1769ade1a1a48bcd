# Every command here runs from the root of the checkout and needs Go, make and git. The race target
# also needs a C compiler. The first `make test` builds a NATS server and Jaeger for the tests that
# use real ones, which takes a few minutes; later runs find them in .cache/bin.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := bin
SERVICES = $(patsubst services/%/main.go,%,$(wildcard services/*/main.go))

# The folders with Go code. golangci-lint and gofumpt want them named: they do not know `work`.
GO_FOLDERS = $(wildcard events schemas services tools examples)

# Where goroutines meet: the services with all that they share. The contract and the tools have none
# worth the time.
RACE_PACKAGES ?= ./services/internal/... ./services/transform/... ./services/ingest/... ./services/warehouse/... \
	./services/connectors/... ./services/spoke/...

# The linters are pinned in a module of their own. Built once by the go command, then run from here.
LINT_TOOL = $$(GOWORK=off go -C tools/lint tool -n $(1))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build every service and the spoke command into bin/
	@mkdir -p $(BIN)
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/ $(addprefix ./services/,$(SERVICES))

test: ## run every test; with CI=true a skipped test is a failure (ARGS="-run Webhook -short")
	@go run ./tools/check $(ARGS)

race: ## run the tests of RACE_PACKAGES with the race detector
	@go run ./tools/check -race "$(RACE_PACKAGES)" $(ARGS)

lint: ## run go vet and golangci-lint
	go vet work
	"$(call LINT_TOOL,golangci-lint)" run $(GO_FOLDERS:%=./%/...)

fmt: ## format all Go code
	"$(call LINT_TOOL,gofumpt)" -w $(GO_FOLDERS)

fmt-check: ## list Go files that are not formatted, and fail if there are any
	@unformatted=$$("$(call LINT_TOOL,gofumpt)" -l $(GO_FOLDERS)); \
	if [[ -n $$unformatted ]]; then echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; fi

generate: ## write generated files anew
	go generate work

tidy-check: ## fail if go.mod or go.sum of either module is not tidy
	GOWORK=off go mod tidy -diff
	GOWORK=off go -C tools mod tidy -diff
	GOWORK=off go -C tools/duckdb mod tidy -diff

bench: ## measure throughput and latency (ARGS="-h" lists the options)
	go run ./tools/bench core $(ARGS)

demo: build ## run everything in one process against simulated vendors
	$(BIN)/spoke up --demo $(ARGS)

jaeger: ## run the pinned Jaeger on 127.0.0.1 (API on 16686, OTLP on 4318)
	@go run ./tools/check -deps
	@tools/jaeger/run

duckdb: ## run the warehouse's views in a real DuckDB (needs a C++ compiler; downloads 144 MB)
	GOWORK=off go -C tools/duckdb test ./...

hooks: ## let git run .githooks before each commit
	git config core.hooksPath .githooks

clean: ## remove what was built; .cache keeps the slow builds
	rm -rf $(BIN)

.PHONY: help build test race lint fmt fmt-check generate tidy-check bench demo jaeger duckdb hooks clean
