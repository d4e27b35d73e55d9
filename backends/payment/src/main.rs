//! Payments and refunds.

mod api;
mod details;
#[cfg(test)]
mod harness;
mod payment;
mod payments;
mod schema;
mod settings;
mod store;
mod webhooks;

use std::process::ExitCode;

use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use utoipa::OpenApi;

use crate::api::Api;
use crate::settings::Settings;

fn main() -> ExitCode {
    server::main("payment", run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let Settings { service, proof_keys } =
        Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&service.log);
    let listener = server::bind(service.listen).await?;
    let database = Database::open(&service.database_url, schema::STEPS).await?;
    let shared =
        Shared { database: database.clone(), clock: Clock::system(), registry: Registry::new() };
    let app = App::new(api::routes(&proof_keys, &shared), &Api::openapi(), shared)?;
    server::serve(listener, app, service.drain).await?;
    database.close().await;
    Ok(())
}
