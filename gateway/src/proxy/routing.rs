//! From a request's head to a route, through its filters, to what happens next.

use std::sync::Arc;

use http::{Method, Uri, header};
use pingora_http::RequestHeader;
use pingora_proxy::Session;
use tollgate_filters::auth::Authenticator;
use tollgate_filters::{
    Answer, Choices, Exchange, Failure, Flow, Incoming, Route, Row, TargetKind, header_value,
};

use super::Gateway;
use super::body;
use super::context::{Context, authenticator};
use super::guard;
use crate::answer::{self, Outgoing};
use crate::clock;
use crate::config::TargetPolicy;
use crate::snapshot::{Millis, Snapshot};

/// How often a request may be forwarded inside the gateway.
const MAX_FORWARDS: usize = 8;

impl Gateway {
    /// Chooses a route and runs its filters, as often as `forward:` asks for it. `None` means that
    /// the request goes to the upstream of the chosen route.
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
        let choices = snapshot.table.choose(&mut fastrand::f64);
        for _ in 0..MAX_FORWARDS {
            let route = choose(&snapshot, session.req_header(), context, &choices)?;
            // The plan is at hand; the target is only looked at where there is no upstream.
            let is_proxied = context.destination().is_some();
            if !is_proxied && let TargetKind::Forward { path } = &route.target.kind {
                Exchange::new(session.req_header_mut(), &mut context.state).set_path(path)?;
            }
            if let Some(answer) = filters(session, context, &snapshot, route).await? {
                return from_filter(answer).map(Some);
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
                    session.req_header_mut().remove_header(&header::ORIGIN);
                }
                TargetKind::Upstream { .. } => return ready_for_upstream(session, context),
                TargetKind::Unrouted => {
                    return Box::pin(unrouted(session, context)).await.map(Some);
                }
                TargetKind::LoadBalanced { service, .. } => {
                    return Err(if snapshot.settings.load_balancer_use_404 {
                        Failure::NoInstanceNotFound(service.clone())
                    } else {
                        Failure::NoInstance(service.clone())
                    });
                }
                TargetKind::Fails(reason) => return Err(Failure::Filter(reason.clone())),
            }
        }
        Err(Failure::ForwardLoop(MAX_FORWARDS))
    }
}

/// Finds the route of a request and takes what its predicates captured.
fn choose<'s>(
    snapshot: &'s Snapshot,
    head: &RequestHeader,
    context: &mut Context,
    choices: &Choices,
) -> Result<&'s Route, Failure> {
    let mut incoming = Incoming::new(head);
    incoming.client = context.state.client;
    incoming.now_nanos = *context.chosen_unix_nanos.get_or_insert_with(clock::unix_nanos);
    incoming.choices = choices;
    context.position = None;
    let position = snapshot.table.find(&incoming)?.ok_or(Failure::RouteNotFound)?;
    let Row { route, .. } = snapshot.table.row(position).ok_or(Failure::RouteNotFound)?;
    context.position = Some(position);
    context.state.variables = route.predicates.capture(&incoming)?;
    if snapshot.settings.metrics.path_tags {
        context.path_pattern = route.predicates.path_pattern(&incoming).map(Arc::clone);
    }
    Ok(route)
}

/// Demands a token where there are some, then runs the route's filters, until one of them answers.
async fn filters(
    session: &mut Session,
    context: &mut Context,
    snapshot: &Snapshot,
    route: &Route,
) -> Result<Option<Answer>, Failure> {
    let authenticator = authenticator(Some(snapshot));
    if let Some(authenticator) = authenticator {
        let mut exchange = Exchange::new(session.req_header_mut(), &mut context.state);
        // Boxed, so that the future of requests without login tokens is small.
        Box::pin(authenticator.demand(&mut exchange, context.arrival.path())).await?;
    }
    let mut place = 0;
    loop {
        let mut exchange = Exchange::new(session.req_header_mut(), &mut context.state)
            .with_authenticator(authenticator);
        match route.chain.on_request(&mut place, &mut exchange).await? {
            Flow::Continue => return Ok(None),
            Flow::Respond(answer) => return Ok(Some(*answer)),
            Flow::Refuse(failure) => return Err(*failure),
            Flow::Around(_) => return Err(Failure::Filter("not yet".to_owned())),
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
fn ready_for_upstream(session: &Session, context: &Context) -> Result<Option<Outgoing>, Failure> {
    if let Some(broken) = context.plan().and_then(|plan| plan.broken) {
        return Err(Failure::Filter(broken.to_string()));
    }
    if context.plan().and_then(|plan| plan.response_timeout).is_some_and(Millis::is_zero) {
        return Err(Failure::UpstreamTimeout("the route's response timeout is 0".to_owned()));
    }
    let needs_upgrade = context.destination().is_some_and(|destination| destination.needs_upgrade);
    if needs_upgrade && !session.is_upgrade_req() {
        let status = if session.req_header().method == Method::GET { 400 } else { 405 };
        return from_filter(Answer::new(status)).map(Some);
    }
    Ok(None)
}

/// A route whose scheme nobody routes: 200 and what the filters make of it.
async fn unrouted(session: &mut Session, context: &mut Context) -> Result<Outgoing, Failure> {
    let mut outgoing = from_filter(Answer::new(200))?;
    context.on_response(session.req_header_mut(), &mut outgoing.head).await?;
    Ok(outgoing)
}

fn from_filter(answer: Answer) -> Result<Outgoing, Failure> {
    answer::from_filter(answer)
        .map_err(|_| Failure::Filter("an answer with an impossible status".to_owned()))
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
