//! What ties an answer or a message to a request: the trace id and the request id.

use std::future::Future;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::task::futures::TaskLocalFuture;
use uuid::Uuid;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

pub(crate) const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

tokio::task_local! {
    static TRACE_ID: String;
}

/// A request id longer than this is not echoed: it would be a way to make us write what we are told.
const REQUEST_ID_LIMIT: usize = 128;

/// The trace id of `traceparent`, or a new one when there is none that can be used.
pub(crate) fn trace_id(headers: &HeaderMap) -> String {
    let parent = headers.get(TRACE_PARENT).and_then(|value| value.to_str().ok());
    trace_id_of(parent)
}

/// The trace id that `parent`, a `traceparent`, names; a new one when there is none in it.
pub fn trace_id_of(parent: Option<&str>) -> String {
    parent.and_then(parse).map_or_else(new_id, str::to_owned)
}

/// Lets calls to peers that `future` makes, and messages it appends, belong to its trace.
pub fn traced<F: Future>(trace_id: String, future: F) -> TaskLocalFuture<String, F> {
    TRACE_ID.scope(trace_id, future)
}

/// `traceparent` of a call to a peer or of a message: the trace at hand, or a new one where none is, with a new span.
pub fn trace_parent() -> String {
    let trace = TRACE_ID.try_with(Clone::clone).unwrap_or_else(|_| new_id());
    let (span, _) = Uuid::new_v4().as_u64_pair();
    format!("00-{trace}-{span:016x}-01")
}

fn new_id() -> String {
    Uuid::new_v4().simple().to_string()
}

/// The request id to echo.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(REQUEST_ID).filter(|id| id.len() <= REQUEST_ID_LIMIT).cloned()
}

/// W3C Trace Context: `version-traceid-parentid-flags`, lower-case hex, ids not all zero.
fn parse(parent: &str) -> Option<&str> {
    let mut fields = parent.split('-');
    let (version, trace, span, flags) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let is_known = version != "ff" && (version != "00" || fields.next().is_none());
    let is_hex =
        [(version, 2), (trace, 32), (span, 16), (flags, 2)].iter().all(|(text, length)| {
            text.len() == *length
                && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
    let has_ids = [trace, span].iter().all(|id| id.bytes().any(|byte| byte != b'0'));
    (is_known && is_hex && has_ids).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn takes_the_trace_id_of_the_caller() {
        let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        assert_eq!(parse(&parent), Some(TRACE));
    }

    #[test]
    fn refuses_what_is_not_a_traceparent() {
        for parent in [
            "",
            TRACE,
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(parse(parent), None, "{parent}");
        }
    }

    #[tokio::test]
    async fn calls_belong_to_the_trace_at_hand() {
        let parent = traced(TRACE.to_owned(), async { trace_parent() }).await;
        assert_eq!(parse(&parent), Some(TRACE));
        assert!(parse(&trace_parent()).is_some_and(|trace| trace != TRACE));
    }

    #[test]
    fn makes_a_trace_id_up() {
        let id = trace_id(&HeaderMap::new());
        assert_eq!(id.len(), 32);
        assert_ne!(id, trace_id(&HeaderMap::new()));
    }
}
