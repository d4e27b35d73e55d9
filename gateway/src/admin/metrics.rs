//! `GET /metrics`: everything in the Prometheus text format.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Admin;

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/metrics", get(show))
}

async fn show(State(admin): State<Admin>) -> Response {
    admin.shared.metrics.lost_lines(admin.access_log.lost());
    match admin.shared.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be shown");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
