# The one entry to every chore. Each target does what it needs of setup by itself.

PREFIX ?= /usr/local
DESTDIR ?=
SHARE = $(DESTDIR)$(PREFIX)/share

# libssh2 1.11.1 beside the checkout, where the system's own is older (Scripts/setup).
export PKG_CONFIG_PATH := $(CURDIR)/.deps/lib/pkgconfig:$(PKG_CONFIG_PATH)
# All caches stay inside the checkout.
SWIFT_FLAGS = --cache-path .build/cache --config-path .build/config --security-path .build/security \
  --manifest-cache local
# CI turns warnings into errors; a user's newer compiler may warn of more.
ifdef CI
SWIFT_FLAGS += -Xswiftc -warnings-as-errors
endif

.PHONY: help setup build release test demo bench lint format install clean

help:
	@echo "make demo      the main job, on a simulated Azure and a local sshd; no account needed"
	@echo "make test      every test"
	@echo "make build     debug build          make release   optimised build"
	@echo "make bench     figures, as ratios   make lint      format and layer checks"
	@echo "make install   PREFIX, DESTDIR      make clean     removes all that was built"

setup:
	@Scripts/setup build

build: setup
	swift build $(SWIFT_FLAGS)

release: setup
	swift build $(SWIFT_FLAGS) -c release --static-swift-stdlib -Xlinker -s --product jitconnect

test:
	@Scripts/setup test
	@Scripts/test

demo: setup
	@Scripts/demo

bench:
	@Scripts/setup demo
	@Scripts/bench

lint:
	@Scripts/lint

format:
	swift format --in-place --recursive Sources Tests Package.swift

install: release
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 .build/release/jitconnect "$(DESTDIR)$(PREFIX)/bin/jitconnect"
	install -d "$(SHARE)/bash-completion/completions" "$(SHARE)/zsh/site-functions" \
	  "$(SHARE)/fish/vendor_completions.d"
	install -m 644 completions/jitconnect.bash "$(SHARE)/bash-completion/completions/jitconnect"
	install -m 644 completions/_jitconnect "$(SHARE)/zsh/site-functions/_jitconnect"
	install -m 644 completions/jitconnect.fish "$(SHARE)/fish/vendor_completions.d/jitconnect.fish"

clean:
	rm -rf .build .build-* .deps
