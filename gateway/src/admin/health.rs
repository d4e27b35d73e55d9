//! `GET /healthz` and `GET /readyz`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Admin;

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready))
}

async fn alive() -> Json<Value> {
    Json(json!({ "status": "UP" }))
}

/// A refused route file does not make the gateway unready: it serves with the routes it has.
async fn ready(State(admin): State<Admin>) -> (StatusCode, Json<Value>) {
    let is_draining = admin.drain.is_draining();
    let file = admin.file.as_ref().map(|file| file.status()).unwrap_or_default();
    let result = if file.refused.is_empty() { "applied" } else { "refused" };
    let body = json!({
        "status": if is_draining { "OUT_OF_SERVICE" } else { "UP" },
        "routes": admin.current.load().table.routes().len(),
        "config": {
            "result": result,
            "problems": file.refused.problems(),
            "restartRequired": file
                .restart_required
                .iter()
                .map(|key| format!("restart required: {key}"))
                .collect::<Vec<_>>(),
        },
    });
    let status = if is_draining { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(body))
}
