//! Routes built in code instead of in a file, one builder for each service:
//!
//! ```text
//! cargo run --example routes_in_code
//! ```
//!
//! Clients connect to port 8000; what goes on is on port 9000 (`/routes`, `/metrics`). The secrets of
//! login tokens come from the environment: `TOKEN_KEYS_FILE` and `GATEWAY_PROOF_KEYS_FILE`, as
//! `.ci/secrets data/secrets` makes them.

#[path = "routes_in_code/services.rs"]
mod services;

use anyhow::{Context, anyhow};
use services::Addresses;
use tollgate::config::{Auth, Loaded, Settings};
use tollgate::gateway::{Overrides, Prepared};

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let routes = services::routes(&Addresses::default()).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("{}", problems.join("\n"))
    })?;
    let auth = services::auth(Auth::default().member_service);
    let settings = Settings { auth: Some(auth), ..Settings::default() };
    let loaded = Loaded::in_code(settings, routes);
    let gateway = Prepared::new(loaded, &Overrides::of_process(), None)
        .context("the gateway cannot start")?;
    gateway.serve_until_signal()?;
    Ok(())
}
