//! Members: sign-up, log-in, look-up.

mod administrator;
mod api;
mod auth_view;
mod contact;
mod email;
mod kind;
mod login;
mod password;
mod password_change;
mod profile;
mod reservations;
mod schema;
mod sessions;
mod settings;
mod sign_up;
mod store;
#[cfg(test)]
mod testing;
mod upkeep;
mod withdrawal;

use std::process::ExitCode;

use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::peer::PeerError;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use tokio::task::JoinSet;
use utoipa::OpenApi;

use crate::api::{Api, Members};
use crate::password::{COST, HashError, Passwords};
use crate::reservations::Reservations;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::store::Store;
use crate::upkeep::Upkeep;

/// The name this service goes by among services.
const NAME: &str = "member";

fn main() -> ExitCode {
    server::main(NAME, run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let settings = Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&settings.service.log);
    let listener = server::bind(settings.service.listen).await?;
    let clock = Clock::system();
    let database = Database::open(&settings.service.database_url, schema::STEPS).await?;
    let members = members(&settings, &database, &clock)?;
    if let Some(administrator) = settings.administrator {
        administrator::ensure(&members, administrator).await?;
    }
    let upkeep = Upkeep {
        store: members.store.clone(),
        clock: clock.clone(),
        dormant_after: settings.dormant_after,
        sessions: members.sessions.clone(),
    };
    let routes = api::routes(members, &settings.keys, &clock);
    let shared = Shared { database: database.clone(), clock, registry: Registry::new() };
    let app = App::new(routes, &Api::openapi(), shared)?;
    let mut background = JoinSet::new();
    background.spawn(upkeep.run());
    server::serve(listener, app, settings.service.drain).await?;
    background.shutdown().await;
    database.close().await;
    Ok(())
}

fn members(settings: &Settings, database: &Database, clock: &Clock) -> Result<Members, StartError> {
    let reservations = settings.reservation_url.as_deref();
    if reservations.is_none() {
        tracing::info!(
            "RESERVATION_URL is not set: members may withdraw whatever they have reserved"
        );
    }
    let reservations =
        reservations.map(|url| Reservations::new(url, settings.keys.clone(), clock.clone()));
    let sessions = settings.gateway_admin_url.as_deref();
    let sessions = sessions.map(|url| Sessions::new(url, settings.keys.clone(), clock.clone()));
    Ok(Members {
        store: Store::new(database.clone()),
        passwords: Passwords::new(COST, settings.password_workers).map_err(cannot_hash)?,
        clock: clock.clone(),
        reservations: reservations.transpose().map_err(unusable)?,
        sessions: sessions.transpose().map_err(unusable)?,
    })
}

fn unusable(error: PeerError) -> StartError {
    StartError::Other(
        "a peer cannot be called; check the variables that end with _URL",
        error.into(),
    )
}

fn cannot_hash(error: HashError) -> StartError {
    StartError::Other("passwords cannot be hashed here; free some memory", error.into())
}
