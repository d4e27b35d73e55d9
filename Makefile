# Every target is a cargo line or a script in .ci; `make help` lists them.

SHELL := /bin/bash
PROGRAMS := $(addprefix -p ,tollgate cms member reservation planner payment notification)
.DEFAULT_GOAL := help
.PHONY: run demo test check doc bench limits chaos dist clean help

run:    ## build in release, start six services and the gateway with ./routes.yaml; ARGS="--listen 127.0.0.1:8800" is passed on
	@.ci/need cargo cc cmake curl
	cargo build --release --locked $(PROGRAMS)
	@.ci/demo $(ARGS)

demo:   ## the same, but walk once through the platform and stop: sign up, log in, search, book, pay, cancel, plan a trip, log out
	@.ci/need cargo cc cmake curl
	cargo build --release --locked $(PROGRAMS)
	@WALK=1 .ci/demo $(ARGS)

test:   ## start what the tests talk to, check and test everything, count what passed, failed and was skipped
	@.ci/need cargo cc cmake curl redis-server
	@.ci/with-postgres .ci/with-kafka .ci/test

check:  ## formatting and lints, as the pre-commit hook does
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

doc:    ## the documentation of every crate, with warnings as errors
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

bench:  ## criterion benches, then CPU per request beside a bare Pingora proxy and nginx; see benches/README.md
	@.ci/need cargo cc cmake
	cargo bench --locked -p tollgate-benches
	cargo run --profile dist --locked -p tollgate-benches --bin load -- --bound 1.15

limits: ## the measured run of shared rate limits: two gateways, one Redis that is flushed, silent and dead, a minute each of calm and trouble
	@.ci/need cargo cc cmake redis-server
	cargo build --workspace --bins --locked
	PRESS_SECONDS=60 .ci/with-postgres cargo test --locked -p tollgate --test platform -- --nocapture real::limits_hold_while

chaos:  ## five minutes of trouble for the saga on each kind of back ends, then the proof that nothing was lost; CHAOS_SECONDS, CHAOS_SEED
	@.ci/need cargo cc cmake
	cargo build --workspace --bins --locked
	CHAOS_SECONDS=$${CHAOS_SECONDS:-300} .ci/with-postgres .ci/with-kafka cargo test --locked -p trial --test saga -- --nocapture a_24

dist:   ## the binaries as they are shipped, in target/dist
	@.ci/need cargo cc cmake
	cargo build --profile dist --locked $(PROGRAMS)

clean:  ## remove what was built; ./data stays
	cargo clean

help:   ## this list
	@sed -n 's/^\([a-z]*\): *## /  make \1\t/p' Makefile | expand -t 16
