//! Lodging search, room look-up and reservations.

mod api;
mod cms;
#[cfg(test)]
mod fake_cms;
#[cfg(test)]
mod harness;
mod members;
mod place;
mod places;
mod reservation;
mod reservations;
mod schema;
mod search;
mod settings;
mod stay;
mod store;

use std::process::ExitCode;

use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use utoipa::OpenApi;

use crate::api::Api;
use crate::cms::Cms;
use crate::settings::Settings;

fn main() -> ExitCode {
    server::main("reservation", run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let settings = Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&settings.service.log);
    let cms = Cms::new(&settings.cms_url, settings.cms_api_key, &settings.timing);
    let cms = cms.map_err(|error| StartError::Other("CMS_URL cannot be used", error.into()))?;
    let listener = server::bind(settings.service.listen).await?;
    let database = Database::open(&settings.service.database_url, schema::STEPS).await?;
    let shared =
        Shared { database: database.clone(), clock: Clock::system(), registry: Registry::new() };
    let routes = api::routes(cms, &settings.proof_keys, &shared);
    let app = App::new(routes, &Api::openapi(), shared)?;
    server::serve(listener, app, settings.service.drain).await?;
    database.close().await;
    Ok(())
}
