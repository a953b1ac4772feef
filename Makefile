# make          build the release binaries
# make lab      two hosts, two tenants with the same addresses: see them talk and not meet
# make test     every test: Swift's, then the built binaries against the world in network namespaces
# make bench    Sluice beside the kernel, Open vSwitch and VDE2, as ratios (Benchmarks/README.md): an hour
# make format   format the sources         make lint     check them, as CI does
# make clean    remove what was built
#
# `make test TESTS=Integration/test_05_isolation.py` runs one file of the second kind, ARGS="-k gre -s" go to pytest.
# `make bench CASES=local-bulk,rtt` measures what has one of these words in its name, `make bench QUICK=1` only tries all.

SWIFT ?= swift
PYTHON ?= /usr/bin/python3
BUILD ?= .build
TESTS ?= Integration
ARGS ?=
CASES ?=
QUICK ?=

# One configuration for everything, so that it is built once and the tests are about what ships. Some tests look inside
# of modules, which release builds allow only when asked to; it costs symbols, not speed.
SWIFT_OPTIONS = --configuration release --scratch-path $(BUILD) -Xswiftc -enable-testing
SOURCES = Package.swift Sources Tests Benchmarks

.PHONY: all build lab test test-build bench format lint clean

all: build

build:
	@.ci/setup build
	$(SWIFT) build $(SWIFT_OPTIONS)

lab:
	@.ci/setup lab
	@$(SWIFT) build $(SWIFT_OPTIONS)
	@PATH="$(abspath $(BUILD)/release):$$PATH" sluice lab run Configs/two-tenants.yaml -- Integration/demo

test: test-build
	@SWIFT="$(SWIFT)" PYTHON="$(PYTHON)" BUILD="$(BUILD)" .ci/tests $(TESTS) $(ARGS)

test-build:
	@.ci/setup test
	$(SWIFT) build $(SWIFT_OPTIONS) --build-tests

# In a world of its own, like the tests.
bench:
	@.ci/setup bench
	$(SWIFT) build $(SWIFT_OPTIONS)
	@BUILD="$(BUILD)" CASES="$(CASES)" QUICK="$(QUICK)" .ci/world $(PYTHON) -B -m Benchmarks

format:
	$(SWIFT) format --in-place --recursive $(SOURCES)

lint:
	$(SWIFT) format lint --strict --recursive $(SOURCES)
	@.ci/check-imports

clean:
	$(SWIFT) package --scratch-path $(BUILD) clean
	rm -rf Integration/.pytest_cache
