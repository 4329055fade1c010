# The front door; Meson does the work behind it.
.PHONY: build deps demo test bench install clean format lint

BUILD := build
PYTHON := /usr/bin/python3
prefix := /usr/local

build: deps $(BUILD)/build.ninja
	@ninja -C $(BUILD) --quiet

$(BUILD)/build.ninja:
	@meson setup $(BUILD) --prefix=$(prefix) >/dev/null

deps:
	@tools/deps

demo: build
	@$(PYTHON) demo/run $(BUILD)/sluice

test: build
	@$(PYTHON) tests/run $(BUILD)

bench: build
	@$(PYTHON) bench/run $(BUILD)/sluice

install: build
	@meson configure $(BUILD) -Dprefix=$(prefix)
	meson install -C $(BUILD)

format:
	@tools/style --fix

lint: build
	@tools/style

clean:
	rm -rf $(BUILD) build-sanitize
