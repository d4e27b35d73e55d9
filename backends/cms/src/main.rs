//! The CMS stand-in: lodgings, rooms and their availability.

mod admin;
mod area;
mod availability;
mod batch;
mod bookings;
mod calls;
mod catalogue;
mod data_set;
mod generator;
mod key;
mod kind;
mod lodgings;
mod nights;
mod order;
mod parameters;
mod price;
mod random;
mod reservations;
mod schema;
mod search;
mod settings;
mod stay;
mod view;

use std::process::ExitCode;

use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::faults::Faults;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use tokio::task::JoinSet;
use utoipa::OpenApi;

use crate::admin::Admin;
use crate::batch::Batch;
use crate::bookings::Bookings;
use crate::calls::Calls;
use crate::catalogue::Shelf;
use crate::lodgings::{Api, Cms};
use crate::reservations::Desk;
use crate::settings::Settings;

fn main() -> ExitCode {
    server::main("cms", run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let settings = Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&settings.service.log);
    let listener = server::bind(settings.service.listen).await?;
    let admin_listener = server::bind(settings.admin_listen).await?;
    let (clock, shift) = Clock::shiftable();
    let database = Database::open(&settings.service.database_url, schema::STEPS).await?;
    data_set::fill_once(&database, settings.plan, &clock).await?;
    let shelf = Shelf::open(database.pool()).await?;
    let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
    let bookings = Bookings { shelf: shelf.clone(), shared: shared.clone(), hold: settings.hold };
    let batch = Batch::new(bookings.clone(), &shared.registry)
        .map_err(|error| StartError::Other("a metric has two meanings", error.into()))?;
    let (faults, calls) = (Faults::new(settings.is_test), Calls::default());
    let cms = Cms { shelf, shared: shared.clone(), calls: calls.clone() };
    let desk = Desk { bookings: bookings.clone(), calls: calls.clone(), crash: settings.crash };
    let routes = lodgings::routes(cms, &faults).merge(reservations::routes(desk, &faults));
    let app = App::new(key::guard(routes, settings.api_key), &Api::openapi(), shared.clone())?;
    let shift = settings.is_test.then_some(shift);
    let admin = Admin { bookings, batch: batch.clone(), calls, shift };
    let own = Shared { registry: Registry::new(), ..shared };
    let admin = App::new(admin::routes(admin, &faults), &admin::document(), own)?;
    let mut background = JoinSet::new();
    background.spawn(server::serve_beside(admin_listener, admin));
    background.spawn(batch.run(settings.batch_every));
    server::serve(listener, app, settings.service.drain).await?;
    background.shutdown().await;
    database.close().await;
    Ok(())
}
