//! Members: sign-up, log-in, look-up.

mod settings;

use std::process::ExitCode;

use service::app::{App, Registry, Shared};
use service::clock::Clock;
use service::database::Database;
use service::server::{self, StartError};
use service::settings::Variables;
use service::telemetry;
use utoipa::OpenApi;

use crate::settings::Settings;

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(info(title = "Member", description = "Members: sign-up, log-in, look-up."))]
struct Api;

fn main() -> ExitCode {
    server::main("member", run)
}

async fn run(variables: Variables) -> Result<(), StartError> {
    let Settings { service } = Settings::read(&variables).map_err(StartError::Settings)?;
    telemetry::start(&service.log);
    let listener = server::bind(service.listen).await?;
    let database = Database::open(&service.database_url, &[]).await?;
    let shared =
        Shared { database: database.clone(), clock: Clock::system(), registry: Registry::new() };
    let app = App::new(axum::Router::new(), &Api::openapi(), shared)?;
    server::serve(listener, app, service.drain).await?;
    database.close().await;
    Ok(())
}
