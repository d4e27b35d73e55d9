//! Scenarios of an operator and of clients, against the real binary over TCP.
//!
//! Each scenario starts `tollgate` on free ports, upstreams in this process, and looks from
//! outside: answers, exit codes, log, metrics, memory. Those that measure have the machine to
//! themselves, see [`turn`].
#![cfg(test)]

mod http1;
mod load;
mod poll;
mod process;
mod turn;
mod upstream;

mod access_log;
mod bodies;
mod clients;
mod failures;
mod refusals;
mod reload;
mod stop;
mod transparency;

use std::future::Future;

/// Runs a scenario.
fn play(scenario: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(scenario);
    runtime.shutdown_background();
}

/// Shows a number that was measured.
#[expect(clippy::print_stdout, reason = "numbers are for whoever reads the test's output")]
fn measured(what: &str, value: impl std::fmt::Debug) {
    println!("measured: {what}: {value:?}");
}

/// The clock of the scenarios.
#[expect(clippy::disallowed_methods, reason = "scenarios measure the real time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
