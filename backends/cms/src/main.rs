//! The CMS stand-in: lodgings, rooms and their availability.

mod area;
mod availability;
mod catalogue;
mod data_set;
mod generator;
mod key;
mod kind;
mod lodgings;
mod parameters;
mod price;
mod random;
mod schema;
mod search;
mod settings;
mod stay;
mod view;

use std::process::ExitCode;
use std::sync::Arc;

use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use utoipa::OpenApi;

use crate::catalogue::Catalogue;
use crate::lodgings::{Api, Cms};
use crate::settings::Settings;

fn main() -> ExitCode {
    server::main("cms", run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let Settings { service, plan, api_key } =
        Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&service.log);
    let listener = server::bind(service.listen).await?;
    let clock = Clock::system();
    let database = Database::open(&service.database_url, schema::STEPS).await?;
    data_set::fill_once(&database, plan, &clock).await?;
    let catalogue = Arc::new(Catalogue::load(database.pool()).await?);
    let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
    let cms = Cms { catalogue, shared: shared.clone() };
    let app = App::new(key::guard(lodgings::routes(cms), api_key), &Api::openapi(), shared)?;
    server::serve(listener, app, service.drain).await?;
    database.close().await;
    Ok(())
}
