//! What one request carries through the phases.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, Uri, header};
use pingora_core::{Error, ErrorType};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;
use prometheus::IntGauge;
use smallvec::SmallVec;
use tollgate_filters::auth::Authenticator;
use tollgate_filters::{
    Choices, Exchange, ExchangeState, Failure, HeaderField, Route, Row, iso_text,
};

use super::around::{Ended, Entered};
use crate::answer::Outgoing;
use crate::balance::{Chosen, InstanceKey, MOST_INSTANCES};
use crate::clock;
use crate::snapshot::{Millis, Plan, Reach, Snapshot};
use crate::upstream::Destination;

/// What one request carries through the phases. Making one allocates nothing.
#[derive(Debug)]
pub struct Context {
    /// When the request's head was read.
    pub started: Instant,
    /// When a route was chosen for the request, in nanoseconds since the epoch.
    pub chosen_unix_nanos: Option<i128>,
    /// When the answer's head was ready.
    pub head_ready: Option<Instant>,
    /// The table this request sees from its beginning to its end.
    pub snapshot: Option<Arc<Snapshot>>,
    /// Position of the chosen route in the table.
    pub position: Option<usize>,
    /// The `Path` pattern that fits, if the file asks for it (`metrics.path-tags.enabled`).
    pub path_pattern: Option<Arc<str>>,
    /// What filters know beside the head.
    pub state: ExchangeState,
    /// Address of the peer.
    pub peer: Option<SocketAddr>,
    /// The `Host` the client sent.
    pub host: Option<HeaderValue>,
    /// What stands around the rest of the request's way, in the order it was entered.
    pub around: Vec<Entered>,
    /// How often a route was chosen.
    pub pass: usize,
    /// What the weight groups chose.
    pub choices: Choices,
    /// What follows when an upstream would be asked again.
    pub next: Option<Ended>,
    /// What is sent in the place of an upstream's answer.
    pub outgoing: Option<Box<Outgoing>>,
    /// When the upstream's own time for the head of its answer is over, if it has a limit.
    pub attempt_ends: Option<Instant>,
    /// How many bytes of the body this attempt has sent.
    pub body_bytes: u64,
    /// Whether the client has less time than usual for the rest of its body.
    pub is_upload_bounded: bool,
    /// How often an upstream was tried.
    pub attempts: u32,
    /// The place in the upstream's list of addresses where the first attempt began.
    pub began_at: Option<usize>,
    /// How many of the upstream's addresses could not be connected to.
    pub refused: usize,
    /// The instance that the attempt goes to, if the route leads to a service.
    pub chosen: Option<Chosen>,
    /// Instances that this attempt could not connect to.
    pub tried: SmallVec<[InstanceKey; MOST_INSTANCES]>,
    /// The upstream's address.
    pub upstream: Option<SocketAddr>,
    /// When the first attempt began.
    pub upstream_started: Option<Instant>,
    /// When the upstream's head arrived.
    pub upstream_ended: Option<Instant>,
    /// The status the client got; 0 if there was none.
    pub status: u16,
    /// Why the request could not be served.
    pub failure: Option<Failure>,
    /// The request line and what else is told about the request as it came.
    pub arrival: Arrival,
    /// Counts the request as long as it lives, however it ends.
    pub in_flight: InFlight,
}

/// A request as it came, before any filter edited it.
#[derive(Debug, Default)]
pub struct Arrival {
    method: Method,
    target: Uri,
    trace_parent: Option<HeaderValue>,
    is_stream: bool,
}

impl Arrival {
    /// The raw path, without the query.
    pub fn path(&self) -> &str {
        self.target.path()
    }
}

/// Counts a request as long as it lives, however it ends.
#[derive(Debug)]
pub struct InFlight(IntGauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Context {
    /// A request whose head was just read.
    pub fn new(in_flight: IntGauge) -> Self {
        in_flight.inc();
        Self {
            started: clock::now(),
            chosen_unix_nanos: None,
            head_ready: None,
            snapshot: None,
            position: None,
            path_pattern: None,
            state: ExchangeState::default(),
            peer: None,
            host: None,
            around: Vec::new(),
            pass: 0,
            choices: Choices::none(),
            next: None,
            outgoing: None,
            attempt_ends: None,
            body_bytes: 0,
            is_upload_bounded: false,
            attempts: 0,
            began_at: None,
            refused: 0,
            chosen: None,
            tried: SmallVec::new(),
            upstream: None,
            upstream_started: None,
            upstream_ended: None,
            status: 0,
            failure: None,
            arrival: Arrival::default(),
            in_flight: InFlight(in_flight),
        }
    }

    /// Remembers the request as it came, before any filter edits it.
    pub fn arrived(&mut self, session: &mut Session, snapshot: Arc<Snapshot>) {
        self.peer = session.client_addr().and_then(|address| address.as_inet().copied());
        self.state.client = self.peer.map(|peer| {
            let peer = peer.ip().to_canonical();
            snapshot.forwarding.client(&session.req_header().headers, peer)
        });
        self.snapshot = Some(snapshot);
        let is_upgrade = session.is_upgrade_req();
        let head = session.req_header();
        self.host = head.headers.get(header::HOST).cloned();
        self.arrival = Arrival {
            method: head.method.clone(),
            target: head.uri.clone(),
            trace_parent: head.headers.get("traceparent").cloned(),
            is_stream: is_upgrade || expects_stream(&head.headers),
        };
    }

    /// The method as sent.
    pub fn method(&self) -> &Method {
        &self.arrival.method
    }

    /// The raw path as sent, without the query.
    pub fn path(&self) -> &str {
        self.arrival.path()
    }

    fn row(&self) -> Option<&Row<Plan>> {
        row(self.snapshot.as_deref(), self.position)
    }

    /// The chosen route.
    pub fn route(&self) -> Option<&Route> {
        self.row().map(|row| &row.route)
    }

    /// The id of the chosen route.
    pub fn route_id(&self) -> Option<&str> {
        self.route().map(|route| &*route.id)
    }

    /// The plan of the chosen route.
    pub fn plan(&self) -> Option<&Plan> {
        self.row().map(|row| &row.plan)
    }

    /// Where the chosen route sends requests; with a service, that of the instance that was chosen.
    pub fn destination(&self) -> Option<&Destination> {
        match &self.plan()?.reach {
            Reach::Direct(destination) => Some(destination),
            Reach::Balanced { .. } => Some(self.chosen.as_ref()?.destination()),
            Reach::Nowhere => None,
        }
    }

    /// The trace id of the client's `traceparent` (W3C Trace Context).
    pub fn trace_id(&self) -> Option<&str> {
        let mut fields = self.arrival.trace_parent.as_ref()?.to_str().ok()?.split('-');
        let trace_id = fields.nth(1)?;
        let is_id = trace_id.len() == 32 && trace_id.bytes().all(|b| b.is_ascii_hexdigit());
        is_id.then_some(trace_id)
    }

    /// How long the upstream may be silent. Streams may be silent for long.
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        if self.arrival.is_stream {
            return self.snapshot.as_ref().map(|snapshot| snapshot.settings.timeouts.stream_idle);
        }
        self.time_left(now)
    }

    /// How long until the answer's head must be there; never zero, which the framework takes for no
    /// limit.
    pub fn time_left(&self, now: Instant) -> Option<Duration> {
        let left = self.deadline()?.saturating_duration_since(now);
        Some(left.max(Duration::from_millis(1)))
    }

    /// Counts a part of the body.
    ///
    /// # Errors
    ///
    /// The body is longer than the route takes.
    pub fn count_body(&mut self, bytes: usize) -> Result<(), Failure> {
        self.body_bytes = self.body_bytes.saturating_add(bytes.try_into().unwrap_or(u64::MAX));
        match self.state.body_limit.take_if(|limit| self.body_bytes > limit.most()) {
            Some(limit) => Err(limit.refuse(&mut self.state, self.body_bytes)),
            None => Ok(()),
        }
    }

    /// When the upstream's own time for the head of its answer is over.
    pub(super) fn attempt_deadline(&self) -> Option<Instant> {
        if self.arrival.is_stream {
            return None;
        }
        self.attempt_ends
    }

    /// Notes that an attempt has begun, unless it has long: then the upstream has another address.
    pub(super) fn attempt_begins(&mut self, now: Instant) {
        if self.attempt_ends.is_none() {
            let limit = self.plan().and_then(|plan| plan.response_timeout);
            self.attempt_ends = limit.map(|limit| now + limit.duration());
        }
    }

    /// Forgets the attempt before: another one begins.
    pub(super) fn begin_attempt(&mut self) {
        self.attempt_ends = None;
        self.upstream_ended = None;
        self.began_at = None;
        self.refused = 0;
    }

    /// Whether the upstream had its time for the head and did not answer.
    pub fn is_overdue(&self, now: Instant) -> bool {
        let is_bounded = !self.arrival.is_stream && self.upstream_ended.is_none();
        is_bounded && self.deadline().is_some_and(|deadline| deadline < now)
    }

    /// The error for an upstream that had its time.
    pub fn overdue(&mut self) -> Box<Error> {
        self.fail(self.late())
    }

    /// What it is that an upstream did not answer in its time, in the reference's words.
    pub(super) fn late(&self) -> Failure {
        let limit = self.plan().and_then(|plan| plan.response_timeout).map(Millis::duration);
        let limit = limit.map_or_else(String::new, |limit| format!(": {}", iso_text(limit)));
        Failure::UpstreamTimeout(format!("Response took longer than timeout{limit}"))
    }

    /// Keeps a failure and gives the error that ends the request in Pingora.
    pub fn fail(&mut self, failure: Failure) -> Box<Error> {
        let status = failure.status();
        self.failure = Some(failure);
        Error::new(ErrorType::HTTPStatus(status))
    }

    /// Notes that the upstream's head is here.
    pub fn upstream_answered(&mut self, now: Instant) {
        self.upstream_ended = Some(now);
    }

    /// Notes what follows a failure: an upstream is asked again, or it is over.
    pub(super) fn follow(&mut self, ended: Ended, error: &mut Error) {
        error.set_retry(!matches!(ended, Ended::Failed(_)));
        match ended {
            Ended::Failed(failure) => self.failure = Some(failure),
            Ended::Next(_) | Ended::Complete(_) => self.next = Some(ended),
        }
    }

    /// Begins to fetch what the way back needs of the route: other requests have been served since
    /// the way in.
    pub fn fetch_route(&self) {
        if let Some((snapshot, position)) = self.snapshot.as_ref().zip(self.position) {
            snapshot.table.fetch(position);
        }
    }

    /// Notes that the client's answer begins.
    pub fn committed(&mut self, status: u16) {
        if let Some(plan) = self.plan() {
            plan.timer.fetch();
        }
        self.status = status;
        self.head_ready = Some(clock::now());
    }

    /// Does what an upstream's answer says to the gateway alone, and takes it off.
    ///
    /// # Errors
    ///
    /// It could not be done.
    pub async fn heed(
        &mut self,
        request: &mut RequestHeader,
        head: &mut ResponseHeader,
    ) -> Result<(), Failure> {
        let snapshot = self.snapshot.as_deref();
        let Some(authenticator) = authenticator(snapshot) else { return Ok(()) };
        if !Authenticator::is_told(head) {
            return Ok(());
        }
        if !row(snapshot, self.position).is_some_and(|row| row.plan.tells_identity) {
            Authenticator::ignore(head);
            return Ok(());
        }
        let mut exchange =
            Exchange::new(request, &mut self.state).with_authenticator(Some(authenticator));
        Box::pin(authenticator.heed(&mut exchange, head)).await
    }

    /// Runs what the chosen route's filters do to every answer.
    pub fn on_answer(&mut self, request: &mut RequestHeader, head: &mut ResponseHeader) {
        let snapshot = self.snapshot.as_deref();
        let authenticator = authenticator(snapshot);
        let mut exchange =
            Exchange::new(request, &mut self.state).with_authenticator(authenticator);
        if let Some(Row { route, .. }) = row(snapshot, self.position) {
            route.chain.on_answer(&mut exchange, head);
        }
        if let Some(authenticator) = authenticator {
            authenticator.attach(&mut exchange, head);
        }
    }

    /// Puts the lines that filters left for the answer in front of the answer's own.
    ///
    /// # Errors
    ///
    /// More lines than a head can hold.
    pub fn add_pending(&self, head: &mut ResponseHeader) -> Result<(), Failure> {
        let mut own: Vec<(&HeaderField, Vec<HeaderValue>)> = Vec::new();
        for (name, _) in &self.state.pending {
            if head.headers.contains_key(name.name()) {
                own.push((name, head.headers.get_all(name.name()).iter().cloned().collect()));
                head.remove_header(name.name());
            }
        }
        for (name, value) in &self.state.pending {
            name.append_to_response(head, value.clone())?;
        }
        for (name, values) in own {
            for value in values {
                name.append_to_response(head, value)?;
            }
        }
        Ok(())
    }

    /// Takes off a head that no filter sees what is for the gateway alone.
    pub fn on_interim(&self, head: &mut ResponseHeader) {
        if authenticator(self.snapshot.as_deref()).is_some() {
            Authenticator::ignore(head);
        }
    }

    /// Puts a new token on a head that no filter sees: a switch of protocols.
    pub fn on_switch(&mut self, request: &mut RequestHeader, head: &mut ResponseHeader) {
        self.on_interim(head);
        if let Some(authenticator) = authenticator(self.snapshot.as_deref()) {
            authenticator.attach(&mut Exchange::new(request, &mut self.state), head);
        }
    }
}

/// The rules of login tokens, where there are some.
pub(super) fn authenticator(snapshot: Option<&Snapshot>) -> Option<&Authenticator> {
    snapshot?.auth.as_deref().map(|auth| &auth.authenticator)
}

/// The row of the chosen route, where the rest of the context is lent to its filters.
pub(super) fn row(snapshot: Option<&Snapshot>, position: Option<usize>) -> Option<&Row<Plan>> {
    snapshot?.table.row(position?)
}

/// Whether the answer may be silent for long: event streams and gRPC.
fn expects_stream(headers: &HeaderMap) -> bool {
    let begins = |name, text: &[u8]| {
        headers.get(name).is_some_and(|value: &HeaderValue| {
            value.as_bytes().get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
        })
    };
    begins(header::ACCEPT, b"text/event-stream")
        || begins(header::CONTENT_TYPE, b"application/grpc")
}
