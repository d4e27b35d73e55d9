//! Routes built in code instead of in a file, one builder for each service:
//!
//! ```text
//! cargo run --example routes_in_code
//! ```
//!
//! Clients connect to port 8000; what goes on is on port 9000 (`/routes`, `/metrics`).

#[path = "routes_in_code/services.rs"]
mod services;

use anyhow::{Context, anyhow};
use services::Addresses;
use tollgate::config::{Loaded, Settings};
use tollgate::gateway::{Overrides, Prepared};

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().init();
    let routes = services::routes(&Addresses::default()).map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow!("{}", problems.join("\n"))
    })?;
    let loaded = Loaded::in_code(Settings::default(), routes);
    let gateway =
        Prepared::new(loaded, &Overrides::default(), None).context("the gateway cannot start")?;
    gateway.serve_until_signal()?;
    Ok(())
}
