//! The request body, read before an upstream is chosen because a filter asked for it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header;
use pingora_proxy::Session;
use tokio::time::timeout;
use tollgate_filters::{Failure, RequestBody};

/// The most that is kept to be sent upstream afterwards; more would be lost (`pingora.md` R8).
pub(super) const MOST: usize = 64 << 10;

/// Reads the body if it has `limit` bytes or less. It stays there for the upstream.
///
/// # Errors
///
/// A client that is gone, or does not finish within `wait`.
pub(super) async fn read(
    session: &mut Session,
    limit: usize,
    wait: Duration,
) -> Result<RequestBody, Failure> {
    let length = session.req_header().headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Ok(RequestBody::TooLong);
    }
    session.enable_retry_buffering();
    let waits = session.req_header().headers.get(header::EXPECT);
    if waits.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
        && session.as_http1().is_some()
    {
        let told = session.as_downstream_mut().write_continue_response().await;
        told.map_err(|_| Failure::BadFraming("the client is gone"))?;
    }
    let body = async {
        let mut body = BytesMut::with_capacity(length.unwrap_or_default());
        while let Some(chunk) = session.read_request_body().await? {
            if body.len() + chunk.len() > limit {
                return Ok(RequestBody::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(RequestBody::Whole(Bytes::from(body)))
    };
    let broken = |_: Box<pingora_core::Error>| Failure::BadFraming("the body did not arrive");
    match timeout(wait, body).await {
        Ok(outcome) => outcome.map_err(broken),
        Err(_) => Err(Failure::BadFraming("the body did not arrive in time")),
    }
}
