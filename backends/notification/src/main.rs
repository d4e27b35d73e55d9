//! Notifications and how they are delivered.

mod api;
mod code;
mod consumer;
mod contacts;
mod dispatcher;
#[cfg(test)]
mod harness;
mod internal;
mod metrics;
mod notice;
mod notification;
mod notifications;
mod preferences;
mod provider;
mod schema;
mod settings;
mod sink;
mod store;
mod template;

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
use crate::consumer::Events;
use crate::contacts::Contacts;
use crate::dispatcher::Dispatcher;
use crate::internal::Operators;
use crate::metrics::Metrics;
use crate::provider::{Mail, Providers, Texts};
use crate::settings::Settings;
use crate::sink::Sink;
use crate::template::Templates;

/// The name this service goes by among services.
const NAME: &str = "notification";

fn main() -> ExitCode {
    server::main(NAME, run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let settings = Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&settings.service.log);
    let listener = server::bind(settings.service.listen).await?;
    let database = Database::open(&settings.service.database_url, schema::STEPS).await?;
    let shared =
        Shared { database: database.clone(), clock: Clock::system(), registry: Registry::new() };
    let Settings { broker, timing, crash, .. } = &settings;
    let bus = Bus::open(NAME, broker, timing, crash, &shared).await?;
    let relay = Relay::new(&bus, &database);
    let work = Arc::new(Notify::new());
    let dispatcher = dispatcher(&settings, &shared, relay.handle(), &work).await?;
    let events = Events {
        database: database.clone(),
        clock: shared.clock.clone(),
        timing: Arc::clone(&dispatcher.timing),
        crash: settings.crash.clone(),
        templates: Arc::clone(&dispatcher.templates),
        relay: relay.handle(),
        metrics: dispatcher.metrics.clone(),
        work: Arc::clone(&work),
    };
    let events = Consumer::new(&bus, events)?;
    let operators = Operators { shared: shared.clone(), work };
    let routes = api::routes(&settings.proof_keys, &operators);
    let health = bus.health.clone();
    let app = App::new(routes, &Api::openapi(), shared)?.ready_when(move || health.check());

    let mut consumers = Consumers::new();
    consumers.start(events);
    let mut background = JoinSet::new();
    background.spawn(relay.run());
    background.spawn(dispatcher.run());
    server::serve(listener, app, settings.service.drain).await?;
    consumers.stop().await;
    background.shutdown().await;
    bus.broker.close().await;
    database.close().await;
    Ok(())
}

async fn dispatcher(
    settings: &Settings,
    shared: &Shared,
    relay: RelayHandle,
    work: &Arc<Notify>,
) -> Result<Dispatcher, StartError> {
    let templates = Templates::own()
        .map_err(|error| StartError::Other("the templates cannot be read", error.into()))?;
    let providers = providers(settings).await?;
    let metrics = Metrics::new(&shared.registry)?;
    let contacts = settings
        .member_url
        .as_deref()
        .map(|url| Contacts::new(url, settings.proof_keys.clone(), &shared.clock));
    let contacts = contacts
        .transpose()
        .map_err(|error| StartError::Other("MEMBER_URL cannot be used", error.into()))?;
    Ok(Dispatcher {
        database: shared.database.clone(),
        clock: shared.clock.clone(),
        timing: Arc::new(settings.timing.clone()),
        templates: Arc::new(templates),
        contacts,
        providers,
        relay,
        crash: settings.crash.clone(),
        metrics,
        work: Arc::clone(work),
    })
}

async fn providers(settings: &Settings) -> Result<Providers, StartError> {
    let mail = settings.mail.as_ref().map(Mail::new).transpose();
    let texts = settings.texts.clone().map(Texts::new).transpose();
    let sink = Sink::open(&settings.sink_file).await;
    Ok(Providers {
        mail: mail.map_err(|error| StartError::Other("SMTP_URL cannot be used", error.into()))?,
        texts: texts.map_err(|error| StartError::Other("SMS_URL cannot be used", error.into()))?,
        // The address may have to be asked for before.
        limit: settings.timing.step_lease / 2,
        sink: sink
            .map_err(|error| StartError::Other("SINK_FILE cannot be written", error.into()))?,
    })
}
