//! What surrounds every handler: correlation, time limit, panics, problems, metrics, access log.
//!
//! The only place that writes an error answer.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::correlation;
use crate::metrics::Metrics;
use crate::problem::{InOtherWords, Problem, ProblemDocument, UNTRUSTED_CALLER};

/// A handler that takes longer than this is given up, unless its service says otherwise.
pub(crate) const TIME_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug, Clone)]
pub(crate) struct Edge {
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) time_limit: Duration,
}

/// What an answer has to say about its request.
struct Asked {
    method: Method,
    path: String,
    route: String,
    trace_id: String,
}

/// Runs the handler and sees to it that whatever happens ends in a proper answer.
pub(crate) async fn surround(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let open = edge.metrics.begin();
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let asked = Asked {
        method: request.method().clone(),
        path: request.uri().path().to_owned(),
        route: route.unwrap_or("unmatched").to_owned(),
        trace_id: correlation::trace_id(request.headers()),
    };
    let request_id = correlation::request_id(request.headers());
    let span = tracing::info_span!("request", trace_id = asked.trace_id, route = asked.route);
    let handled =
        correlation::traced(asked.trace_id.clone(), handle(next.run(request), edge.time_limit));
    let handled = handled.instrument(span.clone()).await;
    let _entered = span.enter();
    let mut response = finish(handled, &asked, &edge.clock);
    if let Some(id) = request_id {
        response.headers_mut().insert(correlation::REQUEST_ID, id);
    }
    drop(open);
    let took = began.elapsed();
    edge.metrics.answered(&asked.method, &asked.route, response.status(), took);
    tracing::info!(
        target: "access",
        method = %asked.method,
        path = asked.path,
        status = response.status().as_u16(),
        duration_ms = took.as_secs_f64() * 1000.0,
        "answered"
    );
    response
}

async fn handle(handler: impl Future<Output = Response>, limit: Duration) -> Response {
    match timeout(limit, caught(handler)).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            tracing::error!(panic = panic_text(panic.as_ref()), "a handler panicked");
            Problem::unexplained().into_response()
        }
        Err(_) => {
            let detail = "the answer took too long; try again";
            Problem::unavailable("TIMEOUT", detail, Duration::from_secs(1)).into_response()
        }
    }
}

/// A panic ends one request, not the connection others may wait on.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Turns an answer that tells of a failure into a problem document; others pass as they are.
fn finish(mut response: Response, asked: &Asked, clock: &Clock) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.extensions().get::<InOtherWords>().is_some() {
        return response;
    }
    let problem = response.extensions_mut().remove::<Problem>();
    let problem = problem.unwrap_or_else(|| Problem::of_status(status));
    log(&problem);
    let document = ProblemDocument {
        r#type: "about:blank",
        title: problem.status.canonical_reason().unwrap_or("Error").to_owned(),
        status: problem.status.as_u16(),
        detail: problem.detail,
        instance: asked.path.clone(),
        code: problem.code,
        timestamp: clock.stamp(),
        trace_id: asked.trace_id.clone(),
        errors: problem.errors,
    };
    let mut answer = (problem.status, Json(document)).into_response();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(wait) = problem.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.extend(response.headers_mut().remove(ALLOW).map(|allow| (ALLOW, allow)));
    }
    answer
}

fn log(problem: &Problem) {
    let cause = problem.cause.as_deref().map(|cause| with_causes(cause.to_string(), cause));
    match problem.status.as_u16() {
        503 | 504 => tracing::warn!(code = &*problem.code, cause, "not served"),
        500.. => tracing::error!(code = &*problem.code, cause, "not served"),
        // Somebody goes round the gateway, or keys or clocks differ: both are the operator's.
        401 if problem.code == UNTRUSTED_CALLER => {
            tracing::warn!(code = &*problem.code, cause, "refused");
        }
        _ => tracing::debug!(code = &*problem.code, cause, detail = problem.detail, "refused"),
    }
}

#[cfg(test)]
mod tests;
