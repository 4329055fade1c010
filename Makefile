# The front door; Meson does the work behind it.
.PHONY: build deps demo test faults bench bench-deps bench-docs install clean format lint

BUILD := build
PYTHON := /usr/bin/python3
prefix := /usr/local
# `su` without a dash keeps a PATH without the folders of ethtool, sysctl and bpftool.
export PATH := $(PATH):/usr/sbin:/sbin

build: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

# Meson tells its errors on standard output too.
$(BUILD)/build.ninja: | deps
	@said=$$(meson setup $(BUILD) --prefix=$(prefix)) || { printf '%s\n' "$$said" | tail -n 20; exit 1; }

deps:
	@tools/deps

demo: build
	@$(PYTHON) demo/run $(BUILD)/sluice

test: build
	@$(PYTHON) tests/run $(BUILD)

# Every system call of every change killed and failing, ten thousand swaps under traffic; `test` has a part of it.
faults: build
	@$(PYTHON) tests/run $(BUILD) faults

# BENCH=cost, block, filter, limit or attack is one part of it; QUICK=1 tries everything once, to see that it works.
bench: build bench-deps
	@$(PYTHON) bench/run $(if $(QUICK),--quick) $(BUILD) $(BENCH)

bench-deps:
	@tools/deps bench/dependencies.txt

# The plots of the last bench, where the README shows them.
bench-docs:
	cp $(BUILD)/bench-cost.svg $(BUILD)/bench-block.svg docs/

install: build
	@meson configure $(BUILD) -Dprefix=$(prefix)
	meson install -C $(BUILD)

format:
	@tools/style --fix

lint: build
	@tools/style $(BUILD)

clean:
	rm -rf $(BUILD) build-sanitize
