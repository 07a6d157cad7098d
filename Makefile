# make demo    builds gatepost and shows it at work, with a mail server of its own
# make test    format, lints and all tests, with a real Exim and a real DNSBL server
# make soak    minutes of load with trouble in it, and a balance (MINUTES=2 SEED=1)
# make bench   measures; figures are in docs/performance.md
# make deb     builds the Debian package; make deb-test installs it in a copy of this machine, with systemd and a real Exim

CARGO ?= cargo
ARGS ?=

.PHONY: help demo demo-exim test soak bench deb deb-test build-tools test-tools

help:
	@sed -n '1,5s/^# //p' Makefile

demo: build-tools $(if $(findstring --exim,$(ARGS)),demo-exim)
	$(CARGO) run --locked -- demo $(ARGS)

test: test-tools
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) test --locked $(ARGS)

soak: test-tools
	$(CARGO) test --locked --release --test soak -- --ignored --nocapture

bench: build-tools
	@tools/need haproxy=haproxy
	$(CARGO) bench --locked $(ARGS)

deb: build-tools
	@tools/need dpkg-shlibdeps=dpkg-dev strip=binutils
	@CARGO=$(CARGO) tools/deb

# ARGS=--debug: the debug build, in a fraction of the time.
deb-test: build-tools
	@tools/need dpkg-shlibdeps=dpkg-dev strip=binutils exim4=exim4-daemon-heavy swaks=swaks lintian=lintian \
		systemctl=systemd pgrep=procps
	@package=$$(CARGO=$(CARGO) tools/deb $(ARGS)) && for split in true false; do \
	DEB_TEST_SPLIT=$$split tools/deb-test "$$package" || exit 1; done

demo-exim:
	@tools/need exim4=exim4-daemon-heavy

build-tools:
	@command -v $(CARGO) >/dev/null || { echo "Missing: cargo. Rust 1.95 or newer: https://rustup.rs" >&2; exit 1; }
	@tools/need cc=gcc

# An Exim that is installed already is used as it is, if it knows the PROXY protocol.
test-tools: build-tools
	@tools/need exim4=exim4-daemon-heavy rbldnsd=rbldnsd swaks=swaks openssl=openssl haproxy=haproxy pip3=python3-pip \
		promtool=prometheus gnutls-cli=gnutls-bin testssl=testssl.sh systemd-analyze=systemd \
		chromium=chromium fail2ban-regex=fail2ban
	@tools/fetch-spf-suite
	@tools/fetch-postfix
	@PATH=$$PATH:/usr/sbin; exim4 -bV | grep -q '^Support for:.* PROXY' || \
	{ echo "The installed Exim does not know the PROXY protocol; the tests need exim4-daemon-heavy." >&2; exit 1; }
