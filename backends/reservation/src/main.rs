//! Lodging search, room look-up and reservations.

mod api;
mod booking;
mod cms;
mod consumers;
mod dead_letters;
#[cfg(test)]
mod fake_cms;
#[cfg(test)]
mod harness;
mod members;
mod metrics;
mod operations;
mod payments;
mod place;
mod places;
mod reservation;
mod reservations;
mod saga;
mod schema;
mod search;
mod settings;
mod stay;
mod store;
mod wanted;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;

use messaging::bus::Bus;
use messaging::consumer::{Consumer, Consumers};
use messaging::relay::{Relay, RelayHandle};
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use utoipa::OpenApi;

use crate::api::Api;
use crate::cms::Cms;
use crate::consumers::{PaymentResults, RefundResults};
use crate::metrics::Metrics;
use crate::payments::Payments;
use crate::saga::Saga;
use crate::settings::Settings;
use crate::worker::Worker;

/// The name this service goes by among services.
const NAME: &str = "reservation";

fn main() -> ExitCode {
    server::main(NAME, run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let settings = Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&settings.service.log);
    let listener = server::bind(settings.service.listen).await?;
    let database = Database::open(&settings.service.database_url, schema::STEPS).await?;
    let clock = Clock::system();
    let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
    let Settings { broker, timing, crash, .. } = &settings;
    let bus = Bus::open(NAME, broker, timing, crash, &shared).await?;
    let relay = Relay::new(&bus, &database);
    let saga = saga(&settings, &shared, relay.handle())?;
    let payments = Consumer::new(&bus, PaymentResults(saga.clone()))?;
    let refunds = Consumer::new(&bus, RefundResults(saga.clone()))?;
    let routes = api::routes(&saga, &bus.broker, &settings.proof_keys, &shared);
    let health = bus.health.clone();
    let app = App::new(routes, &Api::openapi(), shared)?;
    let app = app.ready_when(move || health.check());

    let mut consumers = Consumers::new();
    consumers.start(payments);
    consumers.start(refunds);
    let mut background = JoinSet::new();
    background.spawn(relay.run());
    background.spawn(Worker { saga }.run());
    server::serve(listener, app, settings.service.drain).await?;
    consumers.stop().await;
    background.shutdown().await;
    bus.broker.close().await;
    database.close().await;
    Ok(())
}

fn saga(settings: &Settings, shared: &Shared, relay: RelayHandle) -> Result<Saga, StartError> {
    let Settings { timing, cms_url, cms_api_key, payment_url, proof_keys, .. } = settings;
    let cms = Cms::new(cms_url, cms_api_key.clone(), timing);
    let cms = cms.map_err(|error| StartError::Other("CMS_URL cannot be used", error.into()))?;
    let payments = Payments::new(payment_url, proof_keys.clone(), &shared.clock, timing);
    let payments =
        payments.map_err(|error| StartError::Other("PAYMENT_URL cannot be used", error.into()))?;
    Ok(Saga {
        database: shared.database.clone(),
        clock: shared.clock.clone(),
        timing: Arc::new(timing.clone()),
        cms,
        payments,
        relay,
        crash: settings.crash.clone(),
        metrics: Metrics::new(&shared.registry)?,
        work: Arc::new(Notify::new()),
    })
}
