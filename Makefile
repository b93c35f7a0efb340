# The README and .ci/run call these targets. Each target installs (as root, from Debian) or builds what it needs.

SHELL := /bin/bash
space := $(subst ,, )
.SHELLFLAGS := -eu -o pipefail -c

# Heavy tools are built once, outside the tree, keyed by version.
CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/signal-sidecar
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(CACHE)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint

ACTIONLINT_VERSION := v1.7.12
ACTIONLINT := $(CACHE)/actionlint-$(ACTIONLINT_VERSION)/actionlint
GOVULNCHECK_VERSION := v1.9.0
GOVULNCHECK := $(CACHE)/govulncheck-$(GOVULNCHECK_VERSION)/govulncheck

# The last Jaeger that is available as a Go module.
JAEGER_VERSION := v1.42.0
JAEGER := $(CACHE)/jaeger-$(JAEGER_VERSION)/all-in-one

# What tests read the files in deploy/ with: a Collector with just their components, Nomad's parser, a Kubernetes,
# consul-template. The first three are programs of this tree, so their key is their source.
source_key = $(shell cat e2e/$(1)/main.go e2e/$(1)/go.mod | sha256sum | cut -c 1-12)
OTELCOL := $(CACHE)/otelcol-$(call source_key,otelcol)/otelcol
NOMADJOB := $(CACHE)/nomadjob-$(call source_key,nomadjob)/nomadjob
KUBE := $(CACHE)/kube-$(call source_key,kube)/kube
CONSUL_TEMPLATE_VERSION := v0.41.1
CONSUL_TEMPLATE := $(CACHE)/consul-template-$(CONSUL_TEMPLATE_VERSION)/consul-template

# Built from tools modules of their own: each brings some 200 MB of modules, Consul 1.2 GB.
CONSUL := $(CACHE)/consul-$(shell sed -n 's,.*github.com/hashicorp/consul \(v[^ ]*\).*,\1,p' tools/consul/go.mod)/consul
NFPM := $(CACHE)/nfpm-$(shell sed -n 's,.*goreleaser/nfpm/v2 \(v[^ ]*\).*,\1,p' tools/nfpm/go.mod)/nfpm
CYCLONEDX := $(CACHE)/cyclonedx-gomod-$(shell sed -n 's,.*/cyclonedx-gomod \(v[^ ]*\).*,\1,p' tools/sbom/go.mod)/cyclonedx-gomod

# The Debian that packages are installed into by the tests, with what the commands in docs/ need:
# $(call scratch_root,RELEASE).
ROOT_PACKAGES := adduser bash-completion iproute2 jq man-db netcat-openbsd rpm sudo systemd
scratch_root = $(CACHE)/debian-$(1)-$(subst $(space),-,$(ROOT_PACKAGES))
SCRATCH_ROOT := $(call scratch_root,bookworm)
# The same with further programs: $(call programs_root,RELEASE). The tests run in it to have that release's versions.
PROGRAMS := curl haproxy iproute2 jq procps prometheus prosody socat strace sudo util-linux-extra
programs_root = $(CACHE)/debian-$(1)-$(subst $(space),-,$(PROGRAMS))
PROGRAM_TESTS := HAProxy|Prosody|Prometheus|Promtool|Dashboard
# Tests in e2e/packages that do not depend on where the packages are installed.
RELEASE_TESTS := TestReproducible|TestRelease|TestVersion|TestLintian|TestControl|TestManualPage|TestRPMFields
# Where they build the image.
BUILDAH_STORE := $(CACHE)/buildah-bookworm

LDFLAGS := -s -w
# These tags leave out parts of gin and gRPC that are not used: MessagePack, and pages that trace requests.
TAGS := nomsgpack,grpcnotrace
BUILD_PACKAGES = NFPM=$(NFPM) CYCLONEDX=$(CYCLONEDX) TAGS=$(TAGS) LDFLAGS='$(LDFLAGS)' deploy/package/build.sh
FUZZTIME ?= 5s
SOAK ?= 10m

# Other systems that the code and its tests must build for: signal-sidecar runs on Linux, and its developers also use
# macOS.
OTHER_TARGETS := darwin/arm64 linux/arm64

# The packages on the path of an event or an answer.
BENCHMARKED := ./agent ./collector ./health ./history ./rest

# make build, make demo and the tests' binary share these flags, so that nothing is compiled twice. The README has them
# for go run without make.
GO_BUILD := CGO_ENABLED=0 go build -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)'

.PHONY: demo build test test-all check race components missing lint shellcheck actionlint vulncheck fuzz test-e2e test-containers test-packages test-trixie test-newest test-kubernetes deb rpm release licenses bench baseline soak short-soak repeat fmt clean

build: ## the stripped, static binary
	$(GO_BUILD) -o signal-sidecar ./cmd/signal-sidecar

demo: ## a sidecar beside a simulated signal node, with what to try
	@echo 'Compiling. The first time, this downloads 45 MB of modules and takes about two minutes.' >&2
	$(subst go build,go run,$(GO_BUILD)) ./cmd/signal-sidecar demo

test: components check race missing ## all tests that need only Go and Debian packages

test-all: lint shellcheck actionlint vulncheck fuzz short-soak test-e2e test-containers test-packages test-trixie ## the checks and tests that need heavier tools

check: ## formatting, go vet, staticcheck (lint has more)
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; }
	go mod tidy -diff
	go build ./...
	go vet ./...
	@for target in $(OTHER_TARGETS); do echo "go build, go vet for $$target"; \
		GOOS=$${target%/*} GOARCH=$${target#*/} go build ./... && GOOS=$${target%/*} GOARCH=$${target#*/} go vet ./... || exit 1; done
	go tool -modfile=tools/go.mod staticcheck ./...

race:
	go test -race -shuffle=on -timeout 20m ./...
	go test -tags portable ./agent ./collector ./testbed # what other systems than Linux run instead

components: ## install the real programs that the tests run
	@tools/components.sh install

missing:
	@tools/components.sh missing

lint: $(GOLANGCI)
	$(GOLANGCI) run ./...

$(GOLANGCI):
	mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

shellcheck: components
	shellcheck tools/*.sh .ci/run deploy/systemd/testdata/*.sh deploy/package/*.sh deploy/package/{deb,rpm}/p* e2e/packages/testdata/*.sh

actionlint: components $(ACTIONLINT) ## the workflows of GitHub
	$(ACTIONLINT)

$(ACTIONLINT):
	mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)

vulncheck: $(GOVULNCHECK) ## known vulnerabilities in the code that the program calls
	@tools/vulncheck.sh $(GOVULNCHECK) -tags $(TAGS) ./...

$(GOVULNCHECK):
	mkdir -p $(@D)
	GOBIN=$(@D) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)

fuzz: ## each fuzz target for FUZZTIME, and more cases of the properties of health
	@tools/fuzz.sh $(FUZZTIME)
	go test ./health -rapid.checks 5000 -sequence 6

test-e2e: components $(JAEGER) $(OTELCOL) $(NOMADJOB) $(CONSUL) $(CONSUL_TEMPLATE) ## the binary with a Collector, Consul, Jaeger, Prometheus and a browser; the files in deploy/
	@tools/components.sh install browser
	cd e2e && go vet ./... && E2E_JAEGER=$(JAEGER) E2E_OTELCOL=$(OTELCOL) E2E_NOMADJOB=$(NOMADJOB) \
		E2E_CONSUL=$(CONSUL) E2E_CONSUL_TEMPLATE=$(CONSUL_TEMPLATE) go test -count=1 -timeout 20m # without a pattern, so that skipped tests are shown

$(JAEGER):
	mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/jaegertracing/jaeger/cmd/all-in-one@$(JAEGER_VERSION)

$(OTELCOL):
	mkdir -p $(@D)
	go build -C e2e/otelcol -trimpath -ldflags '$(LDFLAGS)' -o $@ .

$(NOMADJOB):
	mkdir -p $(@D)
	go build -C e2e/nomadjob -trimpath -ldflags '$(LDFLAGS)' -o $@ .

$(KUBE):
	mkdir -p $(@D)
	go build -C e2e/kube -p 2 -trimpath -ldflags '$(LDFLAGS)' -o $@ .

$(CONSUL):
	mkdir -p $(@D)
	go build -C tools/consul -mod=readonly -p 2 -trimpath -ldflags '$(LDFLAGS)' -o $@ github.com/hashicorp/consul

$(CONSUL_TEMPLATE):
	mkdir -p $(@D)
	GOBIN=$(@D) go install github.com/hashicorp/consul-template@$(CONSUL_TEMPLATE_VERSION)

test-kubernetes: $(KUBE) ## the commands of docs/kubernetes.md in a Kubernetes without nodes, which takes ten minutes to build
	cd e2e && go vet ./kubernetes && E2E_KUBE=$(KUBE) go test -count=1 -timeout 20m ./kubernetes

test-containers: ## docker-compose.yml, and the image of the Dockerfile
	@tools/components.sh install containers
	@[ -d $(SCRATCH_ROOT) ] || tools/scratchroot.sh $(SCRATCH_ROOT) bookworm $(ROOT_PACKAGES)
	@[ -d $(BUILDAH_STORE) ] || tools/gobase.sh $(SCRATCH_ROOT) $(BUILDAH_STORE)
	cd e2e && go vet ./containers && E2E_BUILDAH=$(BUILDAH_STORE) go test -count=1 -timeout 30m ./containers

deb: $(NFPM) ## Debian packages for amd64 and arm64, into dist/
	$(BUILD_PACKAGES) deb

rpm: $(NFPM) ## the same as RPM packages
	$(BUILD_PACKAGES) rpm

release: $(NFPM) $(CYCLONEDX) ## all files of a release, reproducible byte for byte: docs/install.md
	$(BUILD_PACKAGES) release

licenses: ## print the licences of all modules in the binary
	@go run ./deploy/package/licenses -tags $(TAGS) ./cmd/signal-sidecar

$(NFPM):
	mkdir -p $(@D)
	go build -C tools/nfpm -trimpath -o $@ github.com/goreleaser/nfpm/v2/cmd/nfpm

$(CYCLONEDX):
	mkdir -p $(@D)
	go build -C tools/sbom -trimpath -o $@ github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod

test-packages: $(NFPM) $(CYCLONEDX) ## the packages in a separate Debian
	@tools/components.sh install packaging
	@[ -d $(SCRATCH_ROOT) ] || tools/scratchroot.sh $(SCRATCH_ROOT) bookworm $(ROOT_PACKAGES)
	cd e2e && go vet ./packages && E2E_SCRATCH_ROOT=$(SCRATCH_ROOT) go test -count=1 -timeout 20m ./packages

test-trixie: $(NFPM) $(CYCLONEDX) ## the tests with the programs of Debian 13, and the packages in a Debian 13
	$(call test_on,trixie)

test-newest: $(NFPM) $(CYCLONEDX) ## the same with what Debian unstable has today; by hand, because it changes every day
	rm -rf $(CACHE)/debian-sid-*
	$(call test_on,sid)

# $(call test_on,RELEASE): in a Debian of that release, the tests that run its programs; then the package's tests.
define test_on
@tools/components.sh install packaging
@[ -d $(call scratch_root,$(1)) ] || tools/scratchroot.sh $(call scratch_root,$(1)) $(1) $(ROOT_PACKAGES)
@[ -d $(call programs_root,$(1)) ] || tools/scratchroot.sh $(call programs_root,$(1)) $(call scratch_root,$(1)) $(PROGRAMS)
tools/inroot.sh $(call programs_root,$(1)) sh -c 'haproxy -v | head -n 1; prometheus --version | head -n 1; systemctl --version | head -n 1; \
	go test -count=1 -run "$(PROGRAM_TESTS)" ./cmd/signal-sidecar ./deploy/prometheus ./deploy/grafana && go test -count=1 ./deploy/systemd'
cd e2e && E2E_SCRATCH_ROOT=$(call scratch_root,$(1)) go test -count=1 -skip '$(RELEASE_TESTS)' ./packages
endef

bench: build ## Go benchmarks against the baseline, then the whole program: docs/performance.md
	go test -run '^$$' -bench . -benchmem -count 6 $(BENCHMARKED) > bench/latest.txt
	go tool -modfile=tools/go.mod benchstat bench/baseline.txt bench/latest.txt
	go run ./bench

baseline: ## set the baseline of make bench, after an intended change of speed
	go test -run '^$$' -bench . -benchmem -count 6 $(BENCHMARKED) > bench/baseline.txt

soak: components ## a node that fails at random, whose every reply is judged: SOAK=10m, SOAK_SEED
	SOAK=$(SOAK) go test -count=1 -timeout 0 -v -run 'TestSoak$$' ./faults

short-soak:
	@$(MAKE) soak SOAK=60s

repeat: ## the tests again and again, in random order: COUNT=20
	go test -race -shuffle=on -count=$(or $(COUNT),20) -timeout 2h ./...

fmt:
	gofmt -w .

clean:
	rm -f signal-sidecar
	rm -rf dist
