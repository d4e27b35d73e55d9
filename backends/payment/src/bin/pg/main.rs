//! Stands in for the payment gateway: Toss Payments as far as the payment service needs it.
//!
//! It has a process and a store of its own, so that killing the payment service does not kill it,
//! and the other way round. Nothing here knows the platform: what it shares with the payment
//! service is the list of codes.

mod admin;
mod api;
mod auth;
mod cancel;
mod checkout;
mod confirm;
mod desk;
mod detail;
mod error;
mod errors;
#[cfg(test)]
mod harness;
mod jobs;
mod keys;
mod latency;
mod query;
mod reception;
mod schema;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod webhooks;
mod windows;

use std::process::ExitCode;
use std::time::Duration;

use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::faults::Faults;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use tokio::task::JoinSet;

use crate::desk::Desk;
use crate::keys::Marks;
use crate::settings::Settings;
use crate::webhooks::{Announcements, Announcer};
use crate::windows::Windows;

/// Longer than a slow confirm takes with a fault on top of it.
const TIME_LIMIT: Duration = Duration::from_mins(2);

fn main() -> ExitCode {
    server::main("pg", run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let settings = Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&settings.service.log);
    let listener = server::bind(settings.service.listen).await?;
    let database = Database::open(&settings.service.database_url, schema::STEPS).await?;
    let clock = Clock::system();
    let announcer = announcer(&settings, &database, &clock)?;
    let announcements =
        announcer.as_ref().map_or_else(Announcements::default, Announcer::announcements);
    let desk = desk(&settings, &database, &clock, announcements);
    let (jobs, workshop) = jobs::open();
    let routes = api::routes(&desk, &Faults::new(settings.is_test), &jobs);
    let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
    let app = App::with_time_limit(routes, &api::document(), shared, TIME_LIMIT)?;
    let mut background = JoinSet::new();
    background.spawn(workshop.run());
    if let Some(announcer) = announcer {
        background.spawn(announcer.run());
    }
    server::serve(listener, app, settings.service.drain).await?;
    background.shutdown().await;
    database.close().await;
    Ok(())
}

fn announcer(
    settings: &Settings,
    database: &Database,
    clock: &Clock,
) -> Result<Option<Announcer>, StartError> {
    let Some(url) = &settings.webhook_url else {
        tracing::info!("WEBHOOK_URL is not set: nothing is announced");
        return Ok(None);
    };
    let (keys, delays) = (settings.proof_keys.clone(), settings.timing.webhook_retry.clone());
    Announcer::new(database, clock, url, keys, delays).map(Some)
}

fn desk(
    settings: &Settings,
    database: &Database,
    clock: &Clock,
    announcements: Announcements,
) -> Desk {
    let timing = &settings.timing;
    Desk {
        database: database.clone(),
        clock: clock.clone(),
        secret: settings.secret.clone(),
        merchant: settings.merchant.as_str().into(),
        windows: Windows { open: timing.pg_window, session: timing.pg_session },
        latency: settings.latency,
        crash: settings.crash.clone(),
        marks: Marks::default(),
        announcements,
    }
}
