//! The admin listener, on loopback by default:
//!
//! | request          | answer                                                              |
//! |------------------|---------------------------------------------------------------------|
//! | `GET /healthz`   | 200 as long as the process runs                                     |
//! | `GET /readyz`    | 200 while requests are served, 503 while the process stops          |
//! | `GET /metrics`   | Prometheus text                                                     |
//! | `GET /routes`    | the routes in use, in the reference gateway's verbose form          |
//! | `GET /services`  | services, their instances, and what is known about each              |
//! | `GET /actuator/circuitbreakers`, `…events`  | circuit breakers; `POST` changes one          |
//! | `POST /internal/sessions/revoke` | a service, by its proof, ends a member's sessions   |

mod breakers;
mod health;
mod metrics;
mod routes;
mod services;
mod sessions;
mod token;

use std::future::pending;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::http::StatusCode;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::drain::Drain;
use crate::reload::RouteFile;
use crate::snapshot::{Shared, Snapshot};
use crate::telemetry::access_log::AccessLog;

pub use token::AdminToken;

/// What the admin listener looks at.
#[derive(Debug, Clone)]
pub struct Admin {
    /// The route table in use.
    pub current: Arc<ArcSwap<Snapshot>>,
    /// Counters and timers.
    pub shared: Arc<Shared>,
    /// Whether the process is stopping.
    pub drain: Arc<Drain>,
    /// The route file, unless the routes were built in code.
    pub file: Option<Arc<RouteFile>>,
    /// The access log.
    pub access_log: Arc<AccessLog>,
}

/// All endpoints.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .merge(breakers::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(routes::routes())
        .merge(services::routes())
        .merge(sessions::routes())
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                "not found; there are /healthz, /readyz, /metrics, /routes and /services\n",
            )
        })
        .with_state(admin)
}

/// How long answers may take when the process ends; a client that is silent does not hold it.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// Serves the endpoints until `stop` is true.
///
/// # Errors
///
/// A socket that the runtime refuses.
pub async fn serve(
    socket: TcpListener,
    admin: Admin,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let socket = tokio::net::TcpListener::from_std(socket)?;
    let mut too_long = stop.clone();
    let stopped = async move {
        // A sender that is gone means the same.
        drop(stop.wait_for(|stop| *stop).await);
    };
    let serve = axum::serve(socket, router(admin)).with_graceful_shutdown(stopped);
    tokio::select! {
        outcome = serve => outcome,
        () = async {
            drop(too_long.wait_for(|stop| *stop).await);
            drop(timeout(LAST_ANSWERS, pending::<()>()).await);
        } => Ok(()),
    }
}
