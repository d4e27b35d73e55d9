//! The only place that writes an answer that did not come from an upstream.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Method, StatusCode, header};
use pingora_core::Result;
use pingora_http::ResponseHeader;
use pingora_proxy::Session;
use serde_json::json;
use tollgate_filters::{Answer, Failure};

use crate::clock;

/// An answer ready to be written: its head may still be edited.
#[derive(Debug)]
pub struct Outgoing {
    /// Status and header lines.
    pub head: ResponseHeader,
    /// The body; not sent in answer to `HEAD`.
    pub body: Bytes,
}

/// The problem document (RFC 9457) that tells a client why its request was not served.
///
/// It has the members of Spring Cloud Gateway's error body and `code`, the stable reason. Nothing
/// in it comes from an upstream or from the configuration.
///
/// # Errors
///
/// A head that cannot be built, which cannot happen with these names and values.
pub fn problem(failure: &Failure, path: &str) -> Result<Outgoing> {
    let status =
        StatusCode::from_u16(failure.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reason = status.canonical_reason().unwrap_or("Error");
    let body = json!({
        "timestamp": timestamp(),
        "path": path,
        "status": status.as_u16(),
        "error": reason,
        "requestId": request_id(),
        "type": "about:blank",
        "title": reason,
        "detail": detail(failure),
        "instance": path,
        "code": failure.code(),
    });
    let body = Bytes::from(body.to_string());
    let mut head = ResponseHeader::build(status, Some(4))?;
    head.insert_header(header::CONTENT_TYPE, "application/problem+json")?;
    head.insert_header("Proxy-Status", proxy_status(failure))?;
    if let Some(challenge) = challenge(failure) {
        head.insert_header(header::WWW_AUTHENTICATE, challenge)?;
        head.insert_header(header::CACHE_CONTROL, "no-store")?;
    }
    if let Some(seconds) = retry_after(failure) {
        head.insert_header(header::RETRY_AFTER, seconds)?;
    }
    head.insert_header(header::CONTENT_LENGTH, body.len())?;
    Ok(Outgoing { head, body })
}

/// What a client may know, in a sentence.
fn detail(failure: &Failure) -> Cow<'static, str> {
    let text = match failure {
        Failure::RouteNotFound => "No route takes this request.",
        Failure::BadTarget(reason) | Failure::BadFraming(reason) | Failure::BadHost(reason) => {
            reason
        }
        Failure::UriTooLong => "The request line is too long.",
        Failure::HeadersTooLarge => "The request has too many or too large headers.",
        Failure::RequestTooLarge => "The request body is too large.",
        Failure::Predicate(_) => "A condition of a route could not be evaluated.",
        Failure::Filter(_) | Failure::ForwardLoop(_) => "A filter of the route failed.",
        Failure::UpstreamRefused(_) => "The upstream refuses connections.",
        Failure::UpstreamDns(_) => "The upstream's name has no address.",
        Failure::UpstreamTls(_) => "No secure connection to the upstream could be made.",
        Failure::UpstreamReset(_) => "The upstream closed the connection before it answered.",
        Failure::UpstreamProtocol(_) => "The upstream's answer is not valid HTTP.",
        Failure::ConnectTimeout(_) => "The upstream did not accept a connection in time.",
        Failure::UpstreamTimeout(_) => "The upstream did not answer in time.",
        Failure::NoInstance(_) | Failure::NoInstanceNotFound(_) => {
            "No instance of the service is available."
        }
        Failure::TokenMissing(_) => "Send one token as `Authorization: Bearer`; log in to get one.",
        Failure::TokenInvalid(_) => "The token is not valid; log in to get one.",
        Failure::SessionExpired | Failure::SessionRevoked | Failure::RefreshExpired => {
            "The session has ended; log in again."
        }
        Failure::TokenReused => "The token had been replaced; the session has ended, log in again.",
        Failure::MemberInactive => "The account is not active.",
        Failure::MemberMismatch => "`memberId` names another member.",
        Failure::StoreUnavailable(_) => "Sessions cannot be looked up now; try again.",
        Failure::MemberUnavailable(_) => "The account cannot be looked up now; try again.",
        Failure::LoginThrottled(_) => "Too many logins failed; wait before the next.",
        Failure::BadLogin(reason) => reason,
        Failure::MalformedJson => "The body is not JSON.",
        Failure::CircuitOpen(..) => "The upstream service is temporarily unavailable.",
        Failure::TimeLimit(millis) => {
            return format!("The upstream did not answer within {millis}ms.").into();
        }
        Failure::UpstreamStatus(_) => "The upstream's answer counts as a failure.",
        Failure::BulkheadFull(_) => "Too many requests are at this upstream; try again.",
        Failure::RetryExhausted(_) => "The upstream failed, and there is no time to try again.",
        Failure::RateLimited { .. } => "Too many requests; wait before the next.",
        Failure::NoRateLimitKey(_) => "The request has nothing that its rate limit could go by.",
        Failure::LimiterUnavailable(_) => "Rate limits cannot be looked up now; try again.",
    };
    text.into()
}

/// What RFC 6750 3 tells a client whose token does not do.
fn challenge(failure: &Failure) -> Option<&'static str> {
    if matches!(failure, Failure::TokenMissing(_)) {
        return Some("Bearer");
    }
    (failure.status() == 401).then_some("Bearer error=\"invalid_token\"")
}

fn retry_after(failure: &Failure) -> Option<u64> {
    if let Failure::LoginThrottled(seconds) = failure {
        return Some(*seconds);
    }
    if let Failure::RateLimited { retry_after, .. } = failure {
        return *retry_after;
    }
    let is_soon = matches!(
        failure,
        Failure::StoreUnavailable(_)
            | Failure::MemberUnavailable(_)
            | Failure::LimiterUnavailable(_)
    );
    is_soon.then_some(1)
}

fn proxy_status(failure: &Failure) -> String {
    format!("tollgate; error={}; details=\"{}\"", failure.proxy_status(), failure.code())
}

/// RFC 3339 in UTC with milliseconds.
fn timestamp() -> String {
    let now = jiff::Timestamp::from_nanosecond(clock::unix_nanos()).unwrap_or_default();
    now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Names one error answer, so that a client's report leads to the log.
fn request_id() -> String {
    static COUNTER: AtomicU64 = AtomicU64::new(1);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{:08x}-{count}", std::process::id())
}

/// An answer a filter made.
///
/// # Errors
///
/// A status outside 100 to 999.
pub fn from_filter(answer: Answer) -> Result<Outgoing> {
    let mut head = ResponseHeader::build(answer.status, Some(answer.headers.len() + 1))?;
    for (name, value) in answer.headers {
        head.append_header(name.spelling().to_owned(), value)?;
    }
    if !matches!(answer.status, 204 | 304) {
        head.insert_header(header::CONTENT_LENGTH, answer.body.len())?;
    }
    Ok(Outgoing { head, body: answer.body })
}

/// Sends an answer; the connection stays usable unless the caller turned that off.
///
/// # Errors
///
/// The client is gone.
pub async fn send(session: &mut Session, outgoing: Outgoing) -> Result<()> {
    let Outgoing { head, body } = outgoing;
    let has_body = session.req_header().method != Method::HEAD
        && !body.is_empty()
        && !matches!(head.status.as_u16(), 204 | 304);
    session.write_response_header(Box::new(head), !has_body).await?;
    if has_body {
        session.write_response_body(Some(body), true).await?;
    }
    Ok(())
}
