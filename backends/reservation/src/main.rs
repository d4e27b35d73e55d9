//! Lodging search, room look-up and reservations.

mod api;
mod booking;
mod cms;
mod consumers;
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

use messaging::broker::{Broker, BrokerError};
use messaging::bus::Bus;
use messaging::consumer::Consumer;
use messaging::health::Health;
use messaging::relay::{Relay, RelayHandle};
use messaging::validation::SchemaError;
use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use tokio::sync::{Notify, watch};
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
    let bus = bus(&settings, &shared).await?;
    let relay = Relay::new(&bus, &database);
    let saga = saga(&settings, &shared, relay.handle())?;
    let payments = Consumer::new(&bus, PaymentResults(saga.clone())).map_err(no_schema)?;
    let refunds = Consumer::new(&bus, RefundResults(saga.clone())).map_err(no_schema)?;
    let routes = api::routes(&saga, &settings.proof_keys, &shared);
    let health = bus.health.clone();
    let app = App::new(routes, &Api::openapi(), shared)?;
    let app = app.ready_when(move || health.check());

    let (stop, _) = watch::channel(false);
    let mut consumers = JoinSet::new();
    consumers.spawn(payments.run_until(told(stop.subscribe())));
    consumers.spawn(refunds.run_until(told(stop.subscribe())));
    let mut background = JoinSet::new();
    background.spawn(relay.run());
    background.spawn(Worker { saga }.run());
    server::serve(listener, app, settings.service.drain).await?;
    stop.send_replace(true);
    while consumers.join_next().await.is_some() {}
    background.shutdown().await;
    bus.broker.close().await;
    database.close().await;
    Ok(())
}

/// Waits until the process is to stop.
async fn told(mut stop: watch::Receiver<bool>) {
    // Whoever could tell is gone: that is to stop, too.
    drop(stop.wait_for(|is_told| *is_told).await);
}

async fn bus(settings: &Settings, shared: &Shared) -> Result<Bus, StartError> {
    let broker = Broker::open(&settings.broker.url, &settings.timing, &shared.clock).await;
    let unusable = |error: BrokerError| {
        StartError::Other("messages cannot be sent; check BROKER_URL", error.into())
    };
    Ok(Bus {
        service: NAME,
        instance: settings.broker.instance.clone(),
        broker: broker.map_err(unusable)?,
        timing: Arc::new(settings.timing.clone()),
        clock: shared.clock.clone(),
        crash: settings.crash.clone(),
        metrics: messaging::metrics::Metrics::new(&shared.registry).map_err(contradicting)?,
        health: Health::default(),
    })
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
        metrics: Metrics::new(&shared.registry).map_err(contradicting)?,
        work: Arc::new(Notify::new()),
    })
}

fn contradicting(error: prometheus::Error) -> StartError {
    StartError::Other("the metrics contradict themselves", error.into())
}

fn no_schema(error: SchemaError) -> StartError {
    StartError::Other("the schemas of messages cannot be used", error.into())
}
