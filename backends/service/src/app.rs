//! A service's router together with what every service answers besides.
//!
//! | path            | answers                                                            |
//! |-----------------|--------------------------------------------------------------------|
//! | `/healthz`      | 200 as long as the process answers at all                          |
//! | `/readyz`       | 200 when the store answers; 503 otherwise                          |
//! | `/metrics`      | Prometheus text                                                    |
//! | `/openapi.json` | the service's `OpenAPI` 3.1 document                               |

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::get;
pub use prometheus::Registry;
use tokio::time::timeout;
use utoipa::openapi::OpenApi;

use crate::body;
use crate::clock::Clock;
use crate::database::Database;
use crate::edge::{Edge, surround};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::server::StartError;

/// A store that takes longer than this to answer a ping is not ready.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// A service, ready to be called.
#[derive(Debug, Clone)]
pub struct App {
    pub(crate) router: Router,
}

/// What a service's own handlers use as well as everything around them; cheap to clone.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The store.
    pub database: Database,
    /// The time.
    pub clock: Clock,
    /// What is counted, to which a service adds its own.
    pub registry: Registry,
}

#[derive(Debug, Clone)]
struct Operations {
    database: Database,
    metrics: Metrics,
    api: Arc<str>,
}

impl App {
    /// Surrounds `routes` with what every service answers and with how it answers errors.
    pub fn new(routes: Router, api: &OpenApi, shared: Shared) -> Result<Self, StartError> {
        let Shared { database, clock, registry } = shared;
        let metrics = Metrics::new(registry).map_err(|error| unusable(error.into()))?;
        let operations = Operations {
            database,
            metrics: metrics.clone(),
            api: api.to_json().map_err(|error| unusable(error.into()))?.into(),
        };
        let surrounded = Router::new()
            .route("/healthz", get(|| async { "ok" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(show_metrics))
            .route("/openapi.json", get(show_api))
            .with_state(operations)
            .merge(routes)
            .fallback(|| async { Problem::of_status(StatusCode::NOT_FOUND) })
            .layer(DefaultBodyLimit::max(body::LIMIT_BYTES))
            .layer(middleware::from_fn_with_state(Edge { clock, metrics }, surround));
        Ok(Self { router: surrounded })
    }

    /// The router alone, for tests that need no socket.
    pub fn into_router(self) -> Router {
        self.router
    }
}

async fn ready(State(operations): State<Operations>) -> Result<&'static str, Problem> {
    let wait = Duration::from_secs(1);
    match timeout(PING_LIMIT, operations.database.ping()).await {
        Ok(Ok(())) => Ok("ready"),
        Ok(Err(error)) => Err(not_reached(wait).caused_by(error)),
        Err(elapsed) => Err(not_reached(wait).caused_by(elapsed)),
    }
}

fn not_reached(wait: Duration) -> Problem {
    Problem::unavailable("STORE_UNAVAILABLE", "the store does not answer", wait)
}

async fn show_metrics(State(operations): State<Operations>) -> Result<impl IntoResponse, Problem> {
    let text = operations.metrics.text().map_err(Problem::internal)?;
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

async fn show_api(State(operations): State<Operations>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], operations.api.to_string())
}

fn unusable(cause: Box<dyn Error + Send + Sync>) -> StartError {
    StartError::Other("the metrics or the OpenAPI document contradict themselves", cause)
}
