//! Payments and refunds.

mod api;
mod attention;
mod cashier;
mod consumers;
mod desk;
mod details;
mod gateway;
#[cfg(test)]
mod harness;
mod internal;
mod metrics;
mod payment;
mod payments;
mod refunds;
mod schema;
mod settings;
mod store;
mod test_mode;
mod webhooks;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;

use ::payment::pg::{PaymentGateway, SetUpError};
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

use crate::cashier::Cashier;
use crate::consumers::{Cancels, Confirms};
use crate::desk::Desk;
use crate::gateway::Gateway;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::worker::Worker;

/// The name this service goes by among services.
const NAME: &str = "payment";

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
    let cashier = cashier(&settings, &shared, relay.handle())?;
    let confirms = Consumer::new(&bus, Confirms(cashier.clone()))?;
    let cancels = Consumer::new(&bus, Cancels(cashier.clone()))?;
    let desk = Desk { shared: shared.clone(), cashier: cashier.clone() };
    let routes = api::routes(&settings.proof_keys, &desk, settings.is_test);
    let health = bus.health.clone();
    let app = App::new(routes, &api::document(settings.is_test), shared)?;
    let app = app.ready_when(move || health.check());

    let mut consumers = Consumers::new();
    consumers.start(confirms);
    consumers.start(cancels);
    let mut background = JoinSet::new();
    background.spawn(relay.run());
    background.spawn(Worker { cashier }.run());
    server::serve(listener, app, settings.service.drain).await?;
    consumers.stop().await;
    background.shutdown().await;
    bus.broker.close().await;
    database.close().await;
    Ok(())
}

fn cashier(
    settings: &Settings,
    shared: &Shared,
    relay: RelayHandle,
) -> Result<Cashier, StartError> {
    let pg = &settings.pg;
    let gateway = PaymentGateway::new(&pg.access, settings.timing.pg_timeout);
    let unusable = |error: SetUpError| {
        StartError::Other("the payment gateway cannot be called; check PG_URL", error.into())
    };
    Ok(Cashier {
        database: shared.database.clone(),
        clock: shared.clock.clone(),
        timing: Arc::new(settings.timing.clone()),
        gateway: Gateway::new(gateway.map_err(unusable)?),
        relay,
        crash: settings.crash.clone(),
        metrics: Metrics::new(&shared.registry)?,
        merchant: pg.merchant.as_str().into(),
        work: Arc::new(Notify::new()),
        paused_until: Arc::default(),
    })
}
