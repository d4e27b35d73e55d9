//! Circuit breakers, in the shapes of Resilience4j's actuator endpoints:
//!
//! | request | answer |
//! |---|---|
//! | `GET /actuator/circuitbreakers` | all of them, with their state and rates |
//! | `GET /actuator/circuitbreakers/{name}` | one |
//! | `POST /actuator/circuitbreakers/{name}` | changes its state; needs the admin token |
//! | `GET /actuator/circuitbreakerevents` | what happened last, also of one: `…/{name}`, and of one type: `…/{name}/{type}` |
//!
//! The body of a change is `{"updateState": "FORCE_OPEN"}`, or `CLOSE`, `DISABLE`; ours beside them
//! are `OPEN`, `HALF_OPEN`, `METRICS_ONLY` and `RESET`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tollgate_filters::breaker::{self, Breaker, Event, EventKind};

use super::Admin;
use crate::clock;

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/actuator/circuitbreakers", get(all))
        .route("/actuator/circuitbreakers/{name}", get(one).post(change))
        .route("/actuator/circuitbreakerevents", get(all_events))
        .route("/actuator/circuitbreakerevents/{name}", get(events_of))
        .route("/actuator/circuitbreakerevents/{name}/{type}", get(events_of_type))
}

async fn all(State(admin): State<Admin>) -> Json<Value> {
    let breakers = admin.shared.parts.breakers.all();
    let shown = breakers.iter().map(|breaker| (breaker.name().to_owned(), shown(breaker)));
    Json(json!({ "circuitBreakers": shown.collect::<Map<String, Value>>() }))
}

async fn one(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    match admin.shared.parts.breakers.find(&name) {
        Some(breaker) => Json(shown(&breaker)).into_response(),
        None => unknown(&name),
    }
}

fn unknown(name: &str) -> Response {
    let told = format!("no circuit breaker `{name}` is declared or has had a request\n");
    (StatusCode::NOT_FOUND, told).into_response()
}

fn shown(breaker: &Breaker) -> Value {
    let status = breaker.status();
    let percent = |rate: f32| format!("{rate:?}%");
    json!({
        "failureRate": percent(status.failure_rate),
        "slowCallRate": percent(status.slow_call_rate),
        "failureRateThreshold": percent(status.config.failure_rate_threshold),
        "slowCallRateThreshold": percent(status.config.slow_call_rate_threshold),
        "bufferedCalls": status.buffered_calls,
        "failedCalls": status.failed_calls,
        "slowCalls": status.slow_calls,
        "slowFailedCalls": status.slow_failed_calls,
        "notPermittedCalls": status.not_permitted_calls,
        "state": status.state.name(),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Change {
    update_state: String,
}

async fn change(
    State(admin): State<Admin>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(refused) = admin.shared.admin_token.check(&headers) {
        return refused.into_response();
    }
    let Ok(Change { update_state }) = serde_json::from_slice(&body) else {
        return (StatusCode::BAD_REQUEST, WHAT_TO_SEND).into_response();
    };
    let Some(breaker) = admin.shared.parts.breakers.find(&name) else { return unknown(&name) };
    match put_into(&breaker, &update_state) {
        None => (StatusCode::BAD_REQUEST, WHAT_TO_SEND).into_response(),
        Some(Err(illegal)) => (StatusCode::CONFLICT, format!("{illegal}\n")).into_response(),
        Some(Ok(())) => {
            let state = breaker.state().name();
            tracing::warn!(breaker = name, state, "circuit breaker changed by hand");
            let told = format!("{name} state has been changed successfully");
            let body =
                json!({ "circuitBreakerName": name, "currentState": state, "message": told });
            Json(body).into_response()
        }
    }
}

const WHAT_TO_SEND: &str = "the body must be {\"updateState\": STATE} with CLOSE, FORCE_OPEN, DISABLE, \
                            OPEN, HALF_OPEN, METRICS_ONLY or RESET\n";

/// `None` if the word says nothing.
fn put_into(breaker: &Breaker, word: &str) -> Option<Result<(), breaker::IllegalTransition>> {
    let state = match word {
        "CLOSE" => breaker::State::Closed,
        "FORCE_OPEN" => breaker::State::ForcedOpen,
        "DISABLE" => breaker::State::Disabled,
        "OPEN" => breaker::State::Open,
        "HALF_OPEN" => breaker::State::HalfOpen,
        "METRICS_ONLY" => breaker::State::MetricsOnly,
        "RESET" => {
            breaker.reset();
            return Some(Ok(()));
        }
        _ => return None,
    };
    Some(breaker.transition_to(state))
}

async fn all_events(State(admin): State<Admin>) -> Json<Value> {
    told(&admin.shared.parts.breakers.all(), None)
}

async fn events_of(State(admin): State<Admin>, Path(name): Path<String>) -> Response {
    match admin.shared.parts.breakers.find(&name) {
        Some(breaker) => told(&[breaker], None).into_response(),
        None => unknown(&name),
    }
}

async fn events_of_type(
    State(admin): State<Admin>,
    Path((name, kind)): Path<(String, String)>,
) -> Response {
    match admin.shared.parts.breakers.find(&name) {
        Some(breaker) => told(&[breaker], Some(&kind)).into_response(),
        None => unknown(&name),
    }
}

/// The events of breakers, the oldest first.
fn told(breakers: &[Arc<Breaker>], kind: Option<&str>) -> Json<Value> {
    let mut events: Vec<(String, Event)> = Vec::new();
    for breaker in breakers {
        let wanted = |event: &Event| kind.is_none_or(|kind| event.kind.name() == kind);
        let own = breaker.events().into_iter().filter(wanted);
        events.extend(own.map(|event| (breaker.name().to_owned(), event)));
    }
    events.sort_by_key(|(_, event)| event.at);
    let events: Vec<Value> = events.iter().map(|(name, event)| shown_event(name, event)).collect();
    Json(json!({ "circuitBreakerEvents": events }))
}

fn shown_event(name: &str, event: &Event) -> Value {
    let ago = clock::now().saturating_duration_since(event.at);
    let ago = i128::try_from(ago.as_nanos()).unwrap_or_default();
    let at = jiff::Timestamp::from_nanosecond(clock::unix_nanos() - ago).unwrap_or_default();
    let mut shown = Map::new();
    shown.insert("circuitBreakerName".to_owned(), json!(name));
    shown.insert("type".to_owned(), json!(event.kind.name()));
    let at = at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ[UTC]").to_string();
    shown.insert("creationTime".to_owned(), json!(at));
    let (took, reason, transition) = match event.kind {
        EventKind::Success { took } | EventKind::IgnoredError { took } => (Some(took), None, None),
        EventKind::Error { took, reason } => (Some(took), reason, None),
        EventKind::StateTransition { from, to } => {
            (None, None, Some(format!("{}_TO_{}", from.name(), to.name())))
        }
        EventKind::NotPermitted
        | EventKind::Reset
        | EventKind::FailureRateExceeded(_)
        | EventKind::SlowCallRateExceeded(_) => (None, None, None),
    };
    shown.insert("errorMessage".to_owned(), json!(reason));
    shown.insert("durationInMs".to_owned(), json!(took.as_ref().map(Duration::as_millis)));
    shown.insert("stateTransition".to_owned(), json!(transition));
    Value::Object(shown)
}
