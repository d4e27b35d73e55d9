//! A service's router together with what every service answers besides.
//!
//! | path            | answers                                                            |
//! |-----------------|--------------------------------------------------------------------|
//! | `/healthz`      | 200 as long as the process answers at all                          |
//! | `/readyz`       | 200 when the store answers and every check of the service holds    |
//! | `/metrics`      | Prometheus text                                                    |
//! | `/openapi.json` | the service's `OpenAPI` 3.1 document                               |

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
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
use crate::edge::{Edge, TIME_LIMIT, surround};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::server::StartError;

/// A store that takes longer than this to answer a ping is not ready.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// A service, ready to be called.
#[derive(Debug, Clone)]
pub struct App {
    pub(crate) router: Router,
    checks: Checks,
}

/// Says why a service is not ready, if it is not.
type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// What must hold beside the store; cheap to clone.
#[derive(Clone, Default)]
struct Checks(Arc<Mutex<Vec<Check>>>);

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
    checks: Checks,
}

impl App {
    /// Surrounds `routes` with what every service answers and with how it answers errors.
    pub fn new(routes: Router, api: &OpenApi, shared: Shared) -> Result<Self, StartError> {
        Self::with_time_limit(routes, api, shared, TIME_LIMIT)
    }

    /// As [`App::new`], for handlers that may take up to `time_limit` and not the usual 10 s.
    pub fn with_time_limit(
        routes: Router,
        api: &OpenApi,
        shared: Shared,
        time_limit: Duration,
    ) -> Result<Self, StartError> {
        let Shared { database, clock, registry } = shared;
        let metrics = Metrics::new(registry).map_err(|error| unusable(error.into()))?;
        let checks = Checks::default();
        let operations = Operations {
            checks: checks.clone(),
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
            .layer(middleware::from_fn_with_state(Edge { clock, metrics, time_limit }, surround));
        Ok(Self { router: surrounded, checks })
    }

    /// Makes `/readyz` depend on a check, too. It is asked on every probe and must not take long; the
    /// text with which it fails is shown.
    #[must_use]
    pub fn ready_when(
        self,
        check: impl Fn() -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.checks.0.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(check));
        self
    }

    /// The router alone, for tests that need no socket.
    pub fn into_router(self) -> Router {
        self.router
    }
}

async fn ready(State(operations): State<Operations>) -> Result<&'static str, Problem> {
    let wait = Duration::from_secs(1);
    match timeout(PING_LIMIT, operations.database.ping()).await {
        Ok(Ok(())) => match operations.checks.first_failure() {
            None => Ok("ready"),
            Some(reason) => Err(Problem::unavailable("NOT_READY", reason, wait)),
        },
        Ok(Err(error)) => Err(not_reached(wait).caused_by(error)),
        Err(elapsed) => Err(not_reached(wait).caused_by(elapsed)),
    }
}

impl Checks {
    fn first_failure(&self) -> Option<String> {
        let checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        checks.iter().find_map(|check| check().err())
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Checks")
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
