//! Travels, their regions and plans.

mod api;
mod itinerary;
mod period;
mod plan;
mod plans;
mod refusal;
mod regions;
mod reminder;
mod schema;
mod settings;
mod store;
#[cfg(test)]
mod testing;
mod travel;
mod travels;

use std::process::ExitCode;

use messaging::bus::Bus;
use messaging::relay::Relay;
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use tokio::task::JoinSet;
use utoipa::OpenApi;

use crate::api::Api;
use crate::reminder::Reminder;
use crate::settings::Settings;
use crate::store::Store;

/// The name this service goes by among services.
const NAME: &str = "planner";

fn main() -> ExitCode {
    server::main(NAME, run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let settings = Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&settings.service.log);
    let listener = server::bind(settings.service.listen).await?;
    let database = Database::open(&settings.service.database_url, schema::STEPS).await?;
    let clock = Clock::system();
    let shared =
        Shared { database: database.clone(), clock: clock.clone(), registry: Registry::new() };
    let Settings { broker, timing, crash, .. } = &settings;
    let bus = Bus::open(NAME, broker, timing, crash, &shared).await?;
    let relay = Relay::new(&bus, &database);
    let reminder = Reminder { store: Store::new(database.clone(), clock.clone()), clock };
    let health = bus.health.clone();
    let routes = api::routes(&settings.proof_keys, &shared);
    let app = App::new(routes, &Api::openapi(), shared)?.ready_when(move || health.check());

    let mut background = JoinSet::new();
    background.spawn(relay.run());
    background.spawn(reminder.run());
    server::serve(listener, app, settings.service.drain).await?;
    background.shutdown().await;
    bus.broker.close().await;
    database.close().await;
    Ok(())
}
