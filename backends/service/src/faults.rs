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
//!
//! A call that is struck is processed to its end even if whoever asked hangs up before: what they gave
//! up takes effect late.

mod admin;
mod fault;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tracing::Instrument;

pub use self::admin::FaultsApi;
pub use self::fault::{Fault, Kind, Subject};
use crate::body::LIMIT_BYTES;
use crate::correlation;
use crate::problem::Problem;

const HEADER: HeaderName = HeaderName::from_static("x-fault");
const TEST_CODE: HeaderName = HeaderName::from_static("tosspayments-test-code");

/// The faults that are armed; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    armed: Arc<Mutex<Vec<Fault>>>,
    /// Calls that are struck, which those who asked may have given up.
    struck: Arc<Mutex<JoinSet<()>>>,
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
        Self { takes_header: is_test, ..Self::default() }
    }

    /// The state of [`strike`] for calls of one operation.
    pub fn on(&self, operation: &'static str) -> Target {
        Target { faults: self.clone(), operation }
    }

    /// Arms one more.
    pub fn arm(&self, fault: Fault) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Sees a call through to its end, whether or not anybody waits for it.
    async fn see_through(&self, call: Call, kind: Kind) -> Result<Response, Problem> {
        let trace_id = correlation::trace_id_of(Some(&correlation::trace_parent()));
        let call = correlation::traced(trace_id, call.suffer(kind)).in_current_span();
        let (answer, answered) = oneshot::channel();
        {
            let mut struck = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
            while struck.try_join_next().is_some() {}
            struck.spawn(async {
                // Nobody may want the answer any more.
                drop(answer.send(call.await));
            });
        }
        answered.await.map_err(Problem::internal)?
    }

    fn is_idle(&self) -> bool {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
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
    let told = request.headers().get(HEADER).filter(|_| faults.takes_header).cloned();
    if told.is_none() && faults.is_idle() {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(HEADER);
    let body = to_bytes(body, LIMIT_BYTES)
        .await
        .map_err(|error| Problem::of_status(StatusCode::PAYLOAD_TOO_LARGE).caused_by(error))?;
    let known = || parts.extensions.get().cloned();
    let kind = match told.as_ref().and_then(|value| value.to_str().ok()) {
        Some(text) => Some(Kind::parse(text)?),
        None => faults.take(operation, &known().unwrap_or_else(|| subject(&parameters, &body))),
    };
    let call = Call { parts, body, next };
    let Some(kind) = kind else { return Ok(call.process().await) };
    tracing::info!(operation, ?kind, "a fault strikes");
    // A server drops what it does for a connection that was closed.
    faults.see_through(call, kind).await
}

/// A call that can be processed any number of times.
struct Call {
    parts: Parts,
    body: Bytes,
    next: Next,
}

impl Call {
    fn request(&self) -> Request {
        Request::from_parts(self.parts.clone(), Body::from(self.body.clone()))
    }

    async fn process(&self) -> Response {
        self.next.clone().run(self.request()).await
    }

    async fn suffer(mut self, kind: Kind) -> Result<Response, Problem> {
        Ok(match kind {
            Kind::Delay(time) => {
                wait(time).await;
                self.process().await
            }
            Kind::DelayAfter(time) => {
                let answer = self.process().await;
                wait(time).await;
                answer
            }
            Kind::Status(status, code) => {
                return Err(Problem::new(status, code, "a fault was asked for"));
            }
            Kind::DropBefore => hang_up(StatusCode::OK.into_response()),
            Kind::DropAfter => hang_up(self.process().await),
            Kind::Garbage => {
                drop(self.process().await);
                ([(CONTENT_TYPE, "application/json")], "{\"payload\": {\"status\"").into_response()
            }
            Kind::ExpireHold => {
                self.parts.extensions.insert(ExpireHold);
                self.process().await
            }
            Kind::Duplicate => {
                drop(self.process().await);
                self.process().await
            }
            Kind::PgCode(code) => {
                let code = HeaderValue::from_str(&code).map_err(Problem::internal)?;
                self.parts.headers.insert(TEST_CODE, code);
                self.process().await
            }
        })
    }
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
