//! From what happened to what is told: Pingora's errors to failures, and a finished request to the
//! access log and the metrics.

use pingora_core::{Error, ErrorSource, ErrorType};
use pingora_proxy::Session;
use tollgate_filters::{Failure, Side};

use super::Gateway;
use super::context::Context;
use crate::clock;
use crate::telemetry::access_log::Line;
use crate::telemetry::timer::Outcome;

/// What a framework error means to the client; `None` if the client is gone.
pub(super) fn failure_of(error: &Error) -> Option<Failure> {
    // The whole chain, with the peer's address: for the log, never for the client.
    let text = || error.to_string();
    match error.esource() {
        ErrorSource::Downstream => client_failure(error.etype()),
        ErrorSource::Internal | ErrorSource::Unset
            if *error.etype() == ErrorType::InvalidHTTPHeader =>
        {
            Some(Failure::Filter(text()))
        }
        ErrorSource::Internal | ErrorSource::Unset | ErrorSource::Upstream => {
            Some(upstream_failure(error.etype(), text()))
        }
    }
}

/// Whether somebody was silent for too long.
pub(super) fn is_timeout(error: &Error) -> bool {
    matches!(error.etype(), ErrorType::ReadTimedout | ErrorType::WriteTimedout)
}

fn client_failure(kind: &ErrorType) -> Option<Failure> {
    match kind.as_str() {
        "InvalidHTTPHeader" => Some(Failure::BadFraming("a header field is not allowed")),
        // The framework's constants for these are private.
        "InvalidChunk" | "InvalidTrailerEnd" => {
            Some(Failure::BadFraming("a chunk of the body is malformed"))
        }
        _ => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is the framework's and may grow")]
fn upstream_failure(kind: &ErrorType, text: String) -> Failure {
    match kind {
        ErrorType::ConnectTimedout | ErrorType::TLSHandshakeTimedout => {
            Failure::ConnectTimeout(text)
        }
        ErrorType::ReadTimedout | ErrorType::WriteTimedout => Failure::UpstreamTimeout(text),
        ErrorType::ConnectRefused
        | ErrorType::ConnectNoRoute
        | ErrorType::ConnectError
        | ErrorType::BindError
        | ErrorType::SocketError => Failure::UpstreamRefused(text),
        ErrorType::TLSHandshakeFailure
        | ErrorType::TLSWantX509Lookup
        | ErrorType::InvalidCert
        | ErrorType::HandshakeError => Failure::UpstreamTls(text),
        ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed => {
            Failure::UpstreamReset(text)
        }
        _ => Failure::UpstreamProtocol(text),
    }
}

/// Tells what the client was not told, once. What upstreams do is for those who look for it: a
/// failing upstream must not flood the log.
fn log(failure: &Failure, route: Option<&str>) {
    let code = failure.code();
    match failure.side() {
        Side::Gateway => tracing::error!(route, code, "{failure}"),
        Side::Upstream | Side::Client => tracing::debug!(route, code, "{failure}"),
    }
}

impl Gateway {
    /// Writes a finished request into the access log and the route's timer.
    pub(super) fn record(&self, session: &Session, error: Option<&Error>, context: &mut Context) {
        let now = clock::now();
        let took = now.duration_since(context.started);
        let status = session.response_written().map_or(context.status, |head| head.status.as_u16());
        // A client that left in the middle is not a failure of the gateway.
        if let (None, Some(error)) = (&context.failure, error) {
            context.failure = failure_of(error);
        }
        if let Some(failure) = &context.failure {
            log(failure, context.route_id());
        }
        if let Some(plan) = context.plan() {
            let head_took =
                context.head_ready.map_or(took, |at| at.duration_since(context.started));
            let path = context.path_pattern.clone();
            let outcome = Outcome { path, ..Outcome::new(status, context.method()) };
            if status != 0 {
                plan.timer.record(&outcome, head_took, self.shared.metrics.uptime(now));
            }
        }
        let upstream_duration = context
            .upstream_started
            .zip(context.upstream_ended)
            .map(|(from, to)| to.duration_since(from));
        self.access_log.log(&Line {
            unix_nanos: context.chosen_unix_nanos.unwrap_or_else(|| {
                clock::unix_nanos() - i128::try_from(took.as_nanos()).unwrap_or_default()
            }),
            route: context.plan().map(|plan| &plan.log_id),
            method: context.method().as_str(),
            path: context.path(),
            status,
            code: context.failure.as_ref().map(Failure::code),
            bytes_out: session.body_bytes_sent(),
            duration: took,
            upstream: context.upstream,
            upstream_duration,
            attempts: context.attempts,
            client: context.state.client,
            trace_id: context.trace_id(),
        });
    }
}
