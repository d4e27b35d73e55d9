//! The phases of a request: Pingora calls, the route's chain decides, nothing is decided here.

pub mod around;
mod body;
mod client_address;
pub mod context;
pub mod forwarding;
pub mod guard;
mod instance;
mod outcome;
mod routing;
mod upstream_answer;
mod upstream_request;

use std::mem;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::{StatusCode, header};
use pingora_core::modules::http::HttpModules;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, Session};
use tollgate_filters::{Failure, Side};

use self::context::Context;
use crate::config::TargetPolicy;
use crate::drain::Drain;
use crate::snapshot::{Shared, Snapshot};
use crate::telemetry::access_log::AccessLog;
use crate::{answer, clock};

/// The gateway as Pingora sees it.
#[derive(Debug)]
pub struct Gateway {
    /// The route table in use; a reload replaces it.
    pub current: Arc<ArcSwap<Snapshot>>,
    /// What outlives reloads.
    pub shared: Arc<Shared>,
    /// Where each request leaves a line.
    pub access_log: Arc<AccessLog>,
    /// Whether the process is stopping.
    pub drain: Arc<Drain>,
    /// How the listener treats unusual targets.
    pub target_policy: TargetPolicy,
}

#[async_trait]
impl ProxyHttp for Gateway {
    /// Boxed: Pingora holds it in several of the futures that it copies for each request.
    type CTX = Box<Context>;

    fn new_ctx(&self) -> Box<Context> {
        Box::new(Context::new(self.shared.metrics.in_flight().clone()))
    }

    /// No modules: response compression is not ours to add.
    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    async fn request_filter(
        &self,
        session: &mut Session,
        context: &mut Box<Context>,
    ) -> Result<bool> {
        let snapshot = self.current.load_full();
        self.limit_waits(session, &snapshot);
        routing::to_path_and_host(session.req_header_mut());
        context.arrived(session, snapshot);
        match self.route(session, context).await {
            Ok(None) => Ok(false),
            // Boxed, so that the future of the requests that go on is small.
            Ok(Some(outgoing)) => {
                Box::pin(self.respond(session, context, outgoing)).await.map(|()| true)
            }
            Err(failure) => Box::pin(self.refuse(session, context, failure)).await.map(|()| true),
        }
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        context: &mut Box<Context>,
    ) -> Result<Box<HttpPeer>> {
        let mut ended = context.next.take();
        loop {
            if let Some(ended) = ended.take() {
                match Box::pin(self.go_on(session, context, ended)).await {
                    Ok(None) => {}
                    Ok(Some(outgoing)) => {
                        let status = outgoing.head.status.as_u16();
                        context.outgoing = Some(Box::new(outgoing));
                        return Err(Error::new(ErrorType::HTTPStatus(status)));
                    }
                    Err(failure) => return Err(context.fail(failure)),
                }
            }
            match instance::peer(session, context) {
                Ok(peer) => return Ok(peer),
                Err(failure) => ended = Some(context.unwind(session.req_header_mut(), failure)),
            }
        }
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        peer: &HttpPeer,
        context: &mut Box<Context>,
        mut error: Box<Error>,
    ) -> Box<Error> {
        context.refused += 1;
        let may_go_on = context.destination().is_some_and(|destination| {
            if let Some(address) = peer._address.as_inet() {
                destination.upstream.avoid(*address);
            }
            // Nothing was sent yet, so the next address of the name may be tried.
            context.refused < destination.upstream.address_count()
        });
        let now = clock::now();
        let is_overdue = context.is_overdue(now);
        let may_go_on = may_go_on
            || (context.is_instances_doing(&error, now)
                && context.next_instance(error.etype().as_str(), now));
        if may_go_on && !is_overdue {
            error.set_retry(true);
            return error;
        }
        error.as_up();
        context.state.is_repeatable = !session.as_ref().retry_buffer_truncated();
        let ended = match outcome::failure_of(&error) {
            Some(_) if is_overdue => context.give_up(session.req_header_mut(), now),
            Some(failure) => context.unwind(session.req_header_mut(), failure),
            None => return error,
        };
        context.follow(ended, &mut error);
        error
    }

    fn error_while_proxy(
        &self,
        _: &HttpPeer,
        session: &mut Session,
        mut error: Box<Error>,
        context: &mut Box<Context>,
        client_reused: bool,
    ) -> Box<Error> {
        if context.next.is_some() {
            error.set_retry(true);
            return error;
        }
        let is_written = session.response_written().is_some_and(|head| is_final(head.status));
        let is_repeatable = !session.as_ref().retry_buffer_truncated();
        let is_safe = session.req_header().method.is_idempotent()
            && is_repeatable
            && session.response_written().is_none();
        if is_safe {
            // A pooled connection that the upstream closed meanwhile: the request never got there.
            error.retry.decide_reuse(client_reused);
        } else {
            error.set_retry(false);
        }
        if error.retry() {
            return error;
        }
        let now = clock::now();
        let is_late = context.is_overdue(now);
        let failure = context.failure.take().or_else(|| outcome::failure_of(&error));
        // A client that uploads for too long is the upstream's delay, too.
        let failure =
            failure.or_else(|| (is_late && outcome::is_timeout(&error)).then(|| context.late()));
        let Some(failure) = failure else { return error };
        if is_written || failure.side() == Side::Client {
            context.failure = Some(failure);
            return error;
        }
        context.attempt_failed(&error, now);
        context.state.is_repeatable = is_repeatable;
        let ended = if is_late && matches!(failure, Failure::UpstreamTimeout(_)) {
            context.give_up(session.req_header_mut(), now)
        } else {
            context.unwind(session.req_header_mut(), failure)
        };
        context.follow(ended, &mut error);
        error
    }

    async fn connected_to_upstream(
        &self,
        _: &mut Session,
        _: bool,
        peer: &HttpPeer,
        _: RawFd,
        _: Option<&pingora_core::protocols::Digest>,
        context: &mut Box<Context>,
    ) -> Result<()> {
        context.upstream = peer._address.as_inet().copied();
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream_request: &mut RequestHeader,
        context: &mut Box<Context>,
    ) -> Result<()> {
        context.body_bytes = 0;
        if !session.as_mut().is_body_empty() {
            Self::bound_upload(session, context, clock::now());
        }
        upstream_request::prepare(session, upstream_request, context)
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        chunk: &mut Option<Bytes>,
        _: bool,
        context: &mut Box<Context>,
    ) -> Result<()> {
        if session.as_mut().is_body_empty() {
            return Ok(());
        }
        if let Err(failure) = context.count_body(chunk.as_ref().map_or(0, Bytes::len)) {
            return Err(context.fail(failure));
        }
        // Each chunk restarts Pingora's read timeout, so a dripped upload needs this check.
        let now = clock::now();
        if context.is_overdue(now) {
            return Err(context.overdue());
        }
        if !session.is_body_done() {
            Self::bound_upload(session, context, now);
        }
        Ok(())
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        head: &mut ResponseHeader,
        context: &mut Box<Context>,
    ) -> Result<()> {
        context.fetch_route();
        let now = clock::now();
        if context.is_overdue(now) {
            if let Some(chosen) = &context.chosen {
                chosen.failed(now);
            }
            return Err(context.overdue());
        }
        if !is_final(head.status) {
            context.on_interim(head);
            return Ok(());
        }
        context.upstream_answered(now);
        if let Some(chosen) = &context.chosen {
            chosen.answered(head.status.as_u16(), now);
        }
        if mem::take(&mut context.is_upload_bounded)
            && let Some(snapshot) = &context.snapshot
        {
            let usual = silence(session, snapshot);
            session.set_read_timeout(Some(usual));
        }
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            context.settle(session.req_header_mut());
            context.on_switch(session.req_header_mut(), head);
        } else {
            upstream_answer::take(session, head, context).await?;
        }
        if self.drain.is_draining() {
            session.set_keepalive(None);
        }
        context.committed(head.status.as_u16());
        Ok(())
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        context: &mut Box<Context>,
    ) -> FailToProxy {
        let is_written = session.response_written().is_some_and(|head| is_final(head.status));
        if let Some(outgoing) = context.outgoing.take() {
            let error_code = outgoing.head.status.as_u16();
            session.set_keepalive(None);
            // A client that is gone gets no answer; the access log tells.
            drop(self.respond(session, context, *outgoing).await);
            return FailToProxy { error_code, can_reuse_downstream: false };
        }
        let failure = context.failure.take().or_else(|| outcome::failure_of(error));
        let Some(failure) = failure else {
            return FailToProxy { error_code: 0, can_reuse_downstream: false };
        };
        let code = failure.status();
        if is_written {
            context.failure = Some(failure);
        } else {
            session.set_keepalive(None);
            // A client that is gone gets no answer; the access log tells.
            drop(self.refuse(session, context, failure).await);
        }
        FailToProxy { error_code: code, can_reuse_downstream: false }
    }

    async fn logging(
        &self,
        session: &mut Session,
        error: Option<&Error>,
        context: &mut Box<Context>,
    ) {
        self.record(session, error, context);
    }

    /// Failures are in the access log and the metrics, once.
    fn suppress_error_log(&self, _: &Session, _: &Box<Context>, _: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _: &Session,
        _: &Box<Context>,
        _: &Error,
        _: pingora_proxy::ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, _: &Session, _: &Box<Context>) -> String {
        String::new()
    }
}

impl Gateway {
    /// Bounds every wait for the client.
    fn limit_waits(&self, session: &mut Session, snapshot: &Snapshot) {
        let timeouts = &snapshot.settings.timeouts;
        let keepalive = if self.drain.is_draining() {
            None
        } else {
            Some(timeouts.client_keep_alive.as_secs().max(1))
        };
        // Pingora turns keep-alive off for ambiguous or old messages; that must stay.
        if session.get_keepalive().is_some() {
            session.set_keepalive(keepalive);
        }
        let silence = silence(session, snapshot);
        session.set_read_timeout(Some(silence));
        session.set_write_timeout(Some(timeouts.write));
        session.set_total_drain_timeout(Some(DRAIN_UNREAD_BODY));
    }

    /// Waits for the rest of an upload no longer than the upstream has time for its head.
    fn bound_upload(session: &mut Session, context: &mut Context, now: Instant) {
        let Some(snapshot) = &context.snapshot else { return };
        if let Some(left) = context.time_left(now) {
            let usual = silence(session, snapshot);
            session.set_read_timeout(Some(left.min(usual)));
            context.is_upload_bounded = true;
        }
    }

    /// Sends an answer that is not an upstream's.
    async fn respond(
        &self,
        session: &mut Session,
        context: &mut Context,
        mut outgoing: answer::Outgoing,
    ) -> Result<()> {
        context.on_answer(session.req_header_mut(), &mut outgoing.head);
        if is_short_body(session.req_header()) {
            // The rest is read and dropped; otherwise the framework closes the connection.
            session.as_mut().set_close_on_response_before_downstream_finish(false);
        }
        if self.drain.is_draining() {
            session.set_keepalive(None);
        }
        context.committed(outgoing.head.status.as_u16());
        answer::send(session, outgoing).await?;
        if session.as_http1().is_some() {
            // A connection that is closed while the client still sends is reset, and the client
            // loses the answer. One that sends for too long has to live with that.
            drop(session.as_downstream_mut().drain_request_body().await);
        }
        Ok(())
    }

    /// Tells the client why its request is not served.
    async fn refuse(
        &self,
        session: &mut Session,
        context: &mut Context,
        failure: Failure,
    ) -> Result<()> {
        if matches!(failure, Failure::BadFraming(_)) {
            // Nobody can tell where the next message begins.
            session.set_keepalive(None);
        }
        let mut outgoing = answer::problem(&failure, context.path())?;
        if context.add_pending(&mut outgoing.head).is_err() {
            tracing::debug!("the answer has no room for what filters left for it");
        }
        self.shared.metrics.failed(context.route_id().unwrap_or_default(), failure.code());
        context.failure = Some(failure);
        self.respond(session, context, outgoing).await
    }
}

/// How long a client may be silent in the middle of a request.
fn silence(session: &Session, snapshot: &Snapshot) -> Duration {
    let timeouts = &snapshot.settings.timeouts;
    if session.is_upgrade_req() { timeouts.stream_idle } else { timeouts.client_read }
}

/// Whether nothing but a body can follow: after a switch of protocols that is a tunnel.
fn is_final(status: StatusCode) -> bool {
    !status.is_informational() || status == StatusCode::SWITCHING_PROTOCOLS
}

/// Whether the rest of a refused request's body is worth reading for the sake of the connection.
///
/// A client that waits for `100 Continue` may never send it.
fn is_short_body(head: &RequestHeader) -> bool {
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    length.and_then(|length| length.parse().ok()).is_some_and(|length: u64| length <= 64 << 10)
        && !head.headers.contains_key(header::EXPECT)
}

/// How long the rest of a refused request's body is read before the connection is closed.
const DRAIN_UNREAD_BODY: Duration = Duration::from_secs(5);
