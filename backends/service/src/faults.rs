//! What a stand-in does wrong on purpose, so that those who call it can be tested.
//!
//! | kind           | effect                                                | value                 |
//! |----------------|-------------------------------------------------------|-----------------------|
//! | `delay`        | waits before the call is processed                    | a duration, `"800ms"` |
//! | `delay_after`  | processes it, then waits before it answers            | a duration            |
//! | `status`       | answers without processing                            | `"409 SOME_CODE"`     |
//! | `drop_before`  | closes the connection without processing              |                       |
//! | `drop_after`   | processes it, then closes the connection              |                       |
//! | `garbage`      | processes it, then answers 200 with a broken body     |                       |
//! | `expire_hold`  | treats the hold as run out (CMS)                      |                       |
//! | `duplicate`    | processes it twice                                    |                       |
//! | `pg_code`      | answers with a code of the payment gateway            | `"PROVIDER_ERROR"`    |
//!
//! A fault is armed by `POST /admin/faults`, listed by `GET` and taken back by `DELETE`; it strikes
//! an operation, for one reservation or room if it says so, a number of times, with a probability.
//! In test mode a single call can bring its own: `X-Fault: kind=value`.

mod admin;
mod fault;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

pub use self::admin::FaultsApi;
pub use self::fault::{Fault, Kind, Subject};
use crate::body::LIMIT_BYTES;
use crate::problem::Problem;

const HEADER: HeaderName = HeaderName::from_static("x-fault");
const TEST_CODE: HeaderName = HeaderName::from_static("tosspayments-test-code");

/// The faults that are armed; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    armed: Arc<Mutex<Vec<Fault>>>,
    takes_header: bool,
}

/// Where faults may strike: state of [`strike`].
#[derive(Debug, Clone)]
pub struct Target {
    faults: Faults,
    operation: &'static str,
}

/// On an answer: the connection is closed instead of sending it.
#[derive(Debug, Clone, Copy)]
pub struct HangUp;

/// On a request: the hold is to be treated as run out.
#[derive(Debug, Clone, Copy)]
pub struct ExpireHold;

impl Faults {
    /// No faults yet; the header `X-Fault` is believed in test mode only.
    pub fn new(is_test: bool) -> Self {
        Self { armed: Arc::default(), takes_header: is_test }
    }

    /// The state of [`strike`] for calls of one operation.
    pub fn on(&self, operation: &'static str) -> Target {
        Target { faults: self.clone(), operation }
    }

    /// Arms one more.
    pub fn arm(&self, fault: Fault) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    fn all(&self) -> Vec<Fault> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn disarm(&self) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The first fault that strikes now; one that has struck often enough is gone.
    fn take(&self, operation: &str, subject: &Subject) -> Option<Kind> {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let at = armed.iter().position(|fault| {
            fault.is_for(operation, subject) && fastrand::f64() < fault.probability
        })?;
        let fault = armed.get_mut(at)?;
        let kind = fault.kind.clone();
        fault.times = fault.times.map(|left| left.saturating_sub(1));
        if fault.times == Some(0) {
            armed.remove(at);
        }
        Some(kind)
    }
}

/// Lets the faults of an operation strike; `axum::middleware::from_fn_with_state` makes a layer of
/// it.
///
/// What a call is about stands in its path or its body, unless a layer around this one knows better
/// and puts a [`Subject`] on the request.
pub async fn strike(
    State(target): State<Target>,
    parameters: RawPathParams,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Target { faults, operation } = target;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LIMIT_BYTES)
        .await
        .map_err(|error| Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).caused_by(error))?;
    let told = parts.headers.get(HEADER).filter(|_| faults.takes_header);
    let known = || parts.extensions.get().cloned();
    let kind = match told.and_then(|value| value.to_str().ok()) {
        Some(text) => Some(Kind::parse(text)?),
        None => faults.take(operation, &known().unwrap_or_else(|| subject(&parameters, &body))),
    };
    let request = || {
        let mut request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        request.headers_mut().remove(HEADER);
        request
    };
    let Some(kind) = kind else { return Ok(next.run(request()).await) };
    tracing::info!(operation, ?kind, "a fault strikes");
    Ok(match kind {
        Kind::Delay(time) => {
            wait(time).await;
            next.run(request()).await
        }
        Kind::DelayAfter(time) => {
            let answer = next.run(request()).await;
            wait(time).await;
            answer
        }
        Kind::Status(status, code) => {
            return Err(Problem::new(status, code, "a fault was asked for"));
        }
        Kind::DropBefore => hang_up(StatusCode::OK.into_response()),
        Kind::DropAfter => hang_up(next.run(request()).await),
        Kind::Garbage => {
            drop(next.run(request()).await);
            ([(CONTENT_TYPE, "application/json")], "{\"payload\": {\"status\"").into_response()
        }
        Kind::ExpireHold => {
            let mut request = request();
            request.extensions_mut().insert(ExpireHold);
            next.run(request).await
        }
        Kind::Duplicate => {
            drop(next.clone().run(request()).await);
            next.run(request()).await
        }
        Kind::PgCode(code) => {
            let mut request = request();
            let code = HeaderValue::from_str(&code).map_err(Problem::internal)?;
            request.headers_mut().insert(TEST_CODE, code);
            next.run(request).await
        }
    })
}

fn hang_up(mut answer: Response) -> Response {
    answer.extensions_mut().insert(HangUp);
    answer
}

/// What a call is about: from its path, else from its body.
fn subject(parameters: &RawPathParams, body: &Bytes) -> Subject {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let find = |name: &str| {
        let in_path = parameters.iter().find(|(known, _)| *known == name);
        let in_path = in_path.map(|(_, value)| value.to_owned());
        in_path.or_else(|| body.get(name)?.as_str().map(str::to_owned))
    };
    Subject {
        external_id: find("externalId"),
        room_id: body.get("roomId").and_then(Value::as_i64),
        order_id: find("orderId"),
    }
}

async fn wait(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a fault that was asked for")]
    tokio::time::sleep(time).await;
}

#[cfg(test)]
mod tests;
