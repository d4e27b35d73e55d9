//! Travels, their regions and plans.

mod api;
mod itinerary;
mod period;
mod plan;
mod plans;
mod refusal;
mod regions;
mod schema;
mod settings;
mod store;
#[cfg(test)]
mod testing;
mod travel;
mod travels;

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
    server::main("planner", run)
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
