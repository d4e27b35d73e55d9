//! From a request's head to a route, through its filters, to what happens next.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Uri, header};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use tollgate_filters::auth::Authenticator;
use tollgate_filters::{
    Answer, Exchange, Failure, Flow, Incoming, Route, Row, TargetKind, header_value,
};

use super::Gateway;
use super::around::{Back, Ended, Next, Step};
use super::body;
use super::context::{Context, authenticator};
use super::guard;
use crate::answer::{self, Outgoing};
use crate::clock;
use crate::config::TargetPolicy;
use crate::snapshot::{Millis, Snapshot};

/// How often a request may be forwarded inside the gateway.
const MAX_FORWARDS: usize = 8;

/// What one pass of a request through a route led to.
enum Passed {
    /// The upstream of the chosen route is asked.
    Upstream,
    /// An answer without one.
    Answer(Box<Outgoing>),
    /// Something else follows.
    On(Ended),
}

/// What the filters of a route led to.
enum Filtered {
    /// None of them had something against the request.
    Through,
    /// One answered.
    Answer(Answer),
    /// One sends the request elsewhere.
    On(Next),
}

impl Gateway {
    /// Checks a request, chooses a route and runs its filters. `None` means that the request goes to
    /// the upstream of the chosen route.
    pub(super) async fn route(
        &self,
        session: &mut Session,
        context: &mut Context,
    ) -> Result<Option<Outgoing>, Failure> {
        let Some(snapshot) = context.snapshot.as_ref().map(Arc::clone) else {
            return Err(Failure::RouteNotFound);
        };
        let raw = session.as_http1().map(|_| session.to_h1_raw());
        guard::check(
            session.req_header(),
            raw.as_deref(),
            &snapshot.settings.limits,
            self.target_policy,
        )?;
        if snapshot.auth.is_some() {
            Authenticator::strip(session.req_header_mut());
        }
        context.choices = snapshot.table.choose(&mut fastrand::f64);
        match self.pass(session, context, &snapshot, Step::Choose).await {
            Ok(Passed::Upstream) => Ok(None),
            Ok(Passed::Answer(outgoing)) => Ok(Some(*outgoing)),
            // Boxed, so that the future of requests that go straight on is small.
            Ok(Passed::On(ended)) => Box::pin(self.go_on(session, context, ended)).await,
            Err(failure) => {
                let ended = context.unwind(session.req_header_mut(), failure);
                Box::pin(self.go_on(session, context, ended)).await
            }
        }
    }

    /// Goes on with a request, wherever failures and what is around them lead, until there is an
    /// answer or, with `None`, an upstream to ask.
    pub(super) async fn go_on(
        &self,
        session: &mut Session,
        context: &mut Context,
        mut ended: Ended,
    ) -> Result<Option<Outgoing>, Failure> {
        let Some(snapshot) = context.snapshot.as_ref().map(Arc::clone) else {
            return Err(Failure::RouteNotFound);
        };
        loop {
            let Next { step, after } = match ended {
                Ended::Failed(failure) => return Err(failure),
                Ended::Next(next) => next,
                Ended::Complete(from) => {
                    let mut outgoing = from_filter(Answer::new(200), context)?;
                    let request = session.req_header_mut();
                    match context.on_response(request, &mut outgoing.head, from).await {
                        Back::Done => return Ok(Some(outgoing)),
                        Back::Instead(other) => ended = other,
                    }
                    continue;
                }
            };
            context.begin_attempt();
            if let Some(expired) = rest(session, context, after).await {
                ended = expired;
                continue;
            }
            ended = match self.pass(session, context, &snapshot, step).await {
                Ok(Passed::Upstream) => return Ok(None),
                Ok(Passed::Answer(outgoing)) => return Ok(Some(*outgoing)),
                Ok(Passed::On(ended)) => ended,
                Err(failure) => context.unwind(session.req_header_mut(), failure),
            };
        }
    }

    /// Takes a request through the filters of a route, which is chosen first unless it has one.
    async fn pass(
        &self,
        session: &mut Session,
        context: &mut Context,
        snapshot: &Snapshot,
        step: Step,
    ) -> Result<Passed, Failure> {
        if let Some(answer) = local_answer(session, context, snapshot, step) {
            return from_filter(answer, context).map(|outgoing| Passed::Answer(Box::new(outgoing)));
        }
        let (route, place) = match step {
            Step::Choose => (choose(snapshot, session.req_header(), context)?, None),
            Step::Filters(place) => {
                let row = context.position.and_then(|position| snapshot.table.row(position));
                (&row.ok_or(Failure::RouteNotFound)?.route, Some(place))
            }
        };
        // The plan is at hand; the target is only looked at where there is no upstream.
        let is_proxied = context.is_proxied();
        if place.is_none()
            && !is_proxied
            && let TargetKind::Forward { path } = &route.target.kind
        {
            Exchange::new(session.req_header_mut(), &mut context.state).set_path(path)?;
        }
        match filters(session, context, snapshot, route, place).await? {
            Filtered::Through => {}
            Filtered::On(next) => return Ok(Passed::On(Ended::Next(next))),
            Filtered::Answer(answer) => {
                let outgoing = from_filter(answer, context)?;
                return Ok(Passed::Answer(Box::new(outgoing)));
            }
        }
        if self.target_policy == TargetPolicy::Strict {
            guard::check_dots(session.req_header().uri.path().as_bytes()).map_err(|_| {
                Failure::Filter("a filter made a path with dot segments".to_owned())
            })?;
        }
        if is_proxied {
            return ready_for_upstream(session, context);
        }
        match &route.target.kind {
            TargetKind::Forward { .. } => {
                Exchange::new(session.req_header_mut(), &mut context.state)
                    .strip_header(&header::ORIGIN);
                Ok(Passed::On(Ended::Next(Next { step: Step::Choose, after: Duration::ZERO })))
            }
            TargetKind::Upstream { .. } | TargetKind::LoadBalanced { .. } => {
                ready_for_upstream(session, context)
            }
            // Nobody routes the scheme: 200 and what the filters make of it.
            TargetKind::Unrouted => Ok(Passed::On(Ended::Complete(0))),
            TargetKind::Fails(reason) => Err(Failure::Filter(reason.clone())),
        }
    }
}

/// What the file itself answers to a request that was forwarded; only the gateway can send one
/// there.
fn local_answer(
    session: &mut Session,
    context: &mut Context,
    snapshot: &Snapshot,
    step: Step,
) -> Option<Answer> {
    if context.pass == 0 || !matches!(step, Step::Choose) {
        return None;
    }
    let answer = snapshot.answers.get(session.req_header().uri.path())?.clone();
    context.settle(session.req_header_mut());
    Some(answer)
}

/// Waits before another attempt, as long as what is around has time; if that ends before, what
/// follows from it.
async fn rest(session: &mut Session, context: &mut Context, after: Duration) -> Option<Ended> {
    if after.is_zero() {
        return None;
    }
    let until = clock::now() + after;
    let deadline = context.deadline().filter(|deadline| *deadline < until);
    tokio::time::sleep_until(deadline.unwrap_or(until).into()).await;
    deadline.map(|deadline| context.give_up(session.req_header_mut(), deadline))
}

/// Finds the route of a request and takes what its predicates captured.
fn choose<'s>(
    snapshot: &'s Snapshot,
    head: &RequestHeader,
    context: &mut Context,
) -> Result<&'s Route, Failure> {
    if context.pass == MAX_FORWARDS {
        return Err(Failure::ForwardLoop(MAX_FORWARDS));
    }
    context.pass += 1;
    let mut incoming = Incoming::new(head);
    // `RemoteAddr` asks for whoever is connected.
    incoming.client = context.peer.map(|peer| peer.ip().to_canonical());
    incoming.now_nanos = *context.chosen_unix_nanos.get_or_insert_with(clock::unix_nanos);
    incoming.choices = &context.choices;
    context.position = None;
    let position = snapshot.table.find(&incoming)?.ok_or(Failure::RouteNotFound)?;
    snapshot.table.fetch(position);
    let Row { route, .. } = snapshot.table.row(position).ok_or(Failure::RouteNotFound)?;
    context.position = Some(position);
    context.state.variables = route.predicates.capture(&incoming)?;
    if snapshot.settings.metrics.path_tags {
        context.path_pattern = route.predicates.path_pattern(&incoming).map(Arc::clone);
    }
    Ok(route)
}

/// Runs the route's filters from a place on, until one of them answers. With no place the route was
/// just chosen, and a token is demanded first where there are some.
async fn filters(
    session: &mut Session,
    context: &mut Context,
    snapshot: &Snapshot,
    route: &Route,
    place: Option<usize>,
) -> Result<Filtered, Failure> {
    let authenticator = authenticator(Some(snapshot));
    if let (Some(authenticator), None) = (authenticator, place) {
        let mut exchange = Exchange::new(session.req_header_mut(), &mut context.state);
        // Boxed, so that the future of requests without login tokens is small.
        Box::pin(authenticator.demand(&mut exchange, context.arrival.path())).await?;
    }
    let mut place = place.unwrap_or_default();
    loop {
        let mut exchange = Exchange::new(session.req_header_mut(), &mut context.state)
            .with_authenticator(authenticator);
        match route.chain.on_request(&mut place, &mut exchange).await? {
            Flow::Continue => return Ok(Filtered::Through),
            Flow::Respond(answer) => {
                context.settle(session.req_header_mut());
                return Ok(Filtered::Answer(*answer));
            }
            Flow::Refuse(failure) => {
                context.settle(session.req_header_mut());
                return Err(*failure);
            }
            Flow::Around(call) => {
                let changes = route.chain.changes_behind(place) || !context.is_proxied();
                let is_kept = changes && call.may_go_back();
                context.enter(session.req_header_mut(), place, call, is_kept);
                place += 1;
            }
            Flow::Forward { path, cause, call } => {
                context.enter(session.req_header_mut(), place, call, false);
                let next = context.forward(session.req_header_mut(), &path, *cause)?;
                return Ok(Filtered::On(next));
            }
            Flow::ReadBody { .. } if context.state.body.is_some() => {
                return Err(Failure::Filter("a filter asks twice for the body".to_owned()));
            }
            Flow::ReadBody { limit } => {
                let wait = snapshot.settings.timeouts.client_read;
                let body = Box::pin(body::read(session, limit.min(body::MOST), wait)).await?;
                context.state.body = Some(body);
            }
        }
    }
}

/// Checks what only the chosen route can tell before its upstream is asked.
fn ready_for_upstream(session: &mut Session, context: &mut Context) -> Result<Passed, Failure> {
    if let Some(broken) = context.plan().and_then(|plan| plan.broken) {
        return Err(Failure::Filter(broken.to_string()));
    }
    if context.plan().and_then(|plan| plan.response_timeout).is_some_and(Millis::is_zero) {
        return Err(context.late());
    }
    context.choose_instance(clock::now())?;
    let needs_upgrade = context.destination().is_some_and(|destination| destination.needs_upgrade);
    if needs_upgrade && !session.is_upgrade_req() {
        let status = if session.req_header().method == Method::GET { 400 } else { 405 };
        context.settle(session.req_header_mut());
        return from_filter(Answer::new(status), context)
            .map(|outgoing| Passed::Answer(Box::new(outgoing)));
    }
    Ok(Passed::Upstream)
}

fn from_filter(answer: Answer, context: &Context) -> Result<Outgoing, Failure> {
    let mut outgoing = answer::from_filter(answer)
        .map_err(|_| Failure::Filter("an answer with an impossible status".to_owned()))?;
    context.add_pending(&mut outgoing.head)?;
    Ok(outgoing)
}

/// HTTP/2 and absolute-form targets carry the host in the target; predicates and upstreams see it
/// in `Host`, and the target as path and query.
pub(super) fn to_path_and_host(head: &mut RequestHeader) {
    let Some(authority) = head.uri.authority().map(|authority| authority.as_str().to_owned())
    else {
        return;
    };
    if !head.headers.contains_key(header::HOST)
        && let Ok(value) = header_value(&authority)
    {
        // A head cannot be so full: the guard limits it.
        drop(head.insert_header("Host", value));
    }
    let path = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    if let Ok(uri) = Uri::builder().path_and_query(path).build() {
        head.set_uri(uri);
    }
}
