//! Where an attempt connects to: which instance of a service, and what became of it there.

use std::time::{Duration, Instant};

use pingora_core::upstreams::peer::HttpPeer;
use pingora_core::{Error, ErrorSource, ErrorType};
use pingora_proxy::Session;
use tollgate_filters::Failure;

use super::context::Context;
use crate::balance::{MOST_INSTANCES, NoInstance};
use crate::clock;
use crate::snapshot::Reach;

/// Timers may be early.
const EARLY: Duration = Duration::from_millis(5);

/// Where the next attempt connects to.
pub(super) fn peer(session: &Session, context: &mut Context) -> Result<Box<HttpPeer>, Failure> {
    context.attempts += 1;
    let now = clock::now();
    if context.upstream_started.is_none() {
        context.upstream_started = Some(now);
        // What nothing stands around is never sent again.
        if let Some(budget) = context.budget().filter(|_| !context.around.is_empty()) {
            budget.first_attempt(now);
        }
    }
    context.attempt_begins(now);
    let is_upgrade = session.is_upgrade_req();
    loop {
        let silence = context.silence(now);
        let Some((plan, destination)) = context.plan().zip(context.destination()) else {
            return Err(Failure::Filter("the route has no upstream".to_owned()));
        };
        let limit = plan.connect_timeout.duration();
        let limit = context.time_left(now).map_or(limit, |left| left.min(limit));
        let began_at = context.began_at.unwrap_or_else(|| destination.upstream.preferred());
        let peer = destination.peer(began_at, context.refused, silence, limit, is_upgrade);
        if let Some(peer) = peer {
            context.began_at = Some(began_at);
            return Ok(peer);
        }
        let host = destination.upstream.host().to_owned();
        if !context.next_instance("its name has no address", now) {
            return Err(Failure::UpstreamDns(host));
        }
    }
}

impl Context {
    /// Whether the chosen route sends requests to an upstream or a service.
    pub(super) fn is_proxied(&self) -> bool {
        self.plan().is_some_and(|plan| !matches!(plan.reach, Reach::Nowhere))
    }

    /// Takes an instance for the attempt that begins, if the route leads to a service. Where there
    /// is a choice it is not the one that the attempt before went to.
    pub(super) fn choose_instance(&mut self, now: Instant) -> Result<(), Failure> {
        let before = self.chosen.take().map(|chosen| chosen.key());
        self.tried.clear();
        let Some(Reach::Balanced { service, scheme }) = self.plan().map(|plan| &plan.reach) else {
            return Ok(());
        };
        let chosen = service
            .choose(*scheme, before.as_slice(), now)
            .or_else(|_| service.choose(*scheme, &[], now));
        match chosen {
            Ok(chosen) => {
                self.chosen = Some(chosen);
                Ok(())
            }
            Err(NoInstance::None | NoInstance::AllDown | NoInstance::AllTried) => {
                let name = service.name().to_owned();
                let settings = self.snapshot.as_ref().map(|snapshot| &snapshot.settings);
                let is_404 = settings.is_some_and(|settings| settings.load_balancer_use_404);
                Err(if is_404 {
                    Failure::NoInstanceNotFound(name)
                } else {
                    Failure::NoInstance(name)
                })
            }
        }
    }

    /// Takes another instance in the place of one that cannot be connected to; false if there is
    /// none, or the request has tried enough of them.
    pub(super) fn next_instance(&mut self, why: &str, now: Instant) -> bool {
        let Some(chosen) = self.chosen.take() else { return false };
        chosen.connect_failed(why);
        self.tried.push(chosen.key());
        let next = match self.plan().map(|plan| &plan.reach) {
            Some(Reach::Balanced { service, scheme }) if self.tried.len() < MOST_INSTANCES => {
                service.choose(*scheme, &self.tried, now).ok()
            }
            Some(Reach::Balanced { .. } | Reach::Direct(_) | Reach::Nowhere) | None => None,
        };
        let has_next = next.is_some();
        // The last one stays: what is told about the request is told about it.
        self.chosen = next.or(Some(chosen));
        if has_next {
            self.began_at = None;
            self.refused = 0;
        }
        has_next
    }

    /// Whether it was the instance's doing that there is no connection, and not the gateway's or a
    /// limit that was nearly over before.
    pub(super) fn is_instances_doing(&self, error: &Error, now: Instant) -> bool {
        let is_local = matches!(
            error.etype(),
            ErrorType::BindError | ErrorType::SocketError | ErrorType::InternalError
        );
        !is_local && !self.is_overdue(now + EARLY)
    }

    /// Tells the instance what an attempt ended with that got no answer.
    pub(super) fn attempt_failed(&self, error: &Error, now: Instant) {
        if let Some(chosen) = &self.chosen
            && *error.esource() == ErrorSource::Upstream
            && self.upstream_ended.is_none()
        {
            chosen.failed(now);
        }
    }
}
