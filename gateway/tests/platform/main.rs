//! The platform through its real binaries over TCP: six services and the gateway, on embedded
//! stores and again on Redis and `PostgreSQL`.
//!
//! Most trials share one platform for each kind of store; those that take something away have one
//! of their own. Redis is started by the trials, `PostgreSQL` is the server in `DATABASE_URL`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test program"
)]

mod attacks;
mod auth;
mod echo;
mod faults;
mod http;
mod limits;
mod program;
mod redis_server;
mod secrets;
mod services;
mod stack;
mod store_contract;
mod throttle;
mod tokens;
mod wait;
mod walk;

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Trial};

use stack::{Stack, Stores, postgres};

/// One trial on a platform that others use too.
type Shared = (&'static str, fn(&Stack));

/// One trial that has a platform of its own.
type Own = (&'static str, fn(Stores));

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut kinds = vec![(Stores::Embedded, "embedded")];
    match postgres() {
        Some(_) => kinds.push((Stores::Real, "real")),
        None => trials.push(Trial::test("real stores", no_server)),
    }
    for (stores, name) in kinds {
        let stack = Arc::new(OnceLock::new());
        let shared = [auth::SHARED, services::SHARED, attacks::SHARED, throttle::SHARED];
        for (id, trial) in shared.concat() {
            let stack = Arc::clone(&stack);
            trials.push(Trial::test(format!("{name}::{id}"), move || {
                trial(stack.get_or_init(|| Stack::start(stores)));
                Ok(())
            }));
        }
        for (id, trial) in
            [store_contract::OWN, limits::OWN, faults::OWN, throttle::OWN, walk::OWN].concat()
        {
            trials.push(Trial::test(format!("{name}::{id}"), move || {
                trial(stores);
                Ok(())
            }));
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if arguments.list || conclusion.has_failed() {
        return conclusion.exit_code();
    }
    // Only now has everything been written that could hold a secret.
    let told = Trial::test("nothing_secret_is_told", || secrets::check().map_err(Into::into));
    libtest_mimic::run(&arguments, vec![told]).exit_code()
}

/// With `CI=true` the trials on real stores must run.
#[expect(clippy::disallowed_methods, reason = "a test program reads its own environment")]
fn no_server() -> Result<(), libtest_mimic::Failed> {
    if std::env::var("CI").is_ok_and(|value| value == "true") {
        return Err("DATABASE_URL is not set; with CI=true set it to a postgres:// URL".into());
    }
    println!("skipped: no DATABASE_URL (postgres://…), the platform runs on embedded stores only");
    Ok(())
}
