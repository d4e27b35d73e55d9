//! What stands around the rest of a request's chain, and what becomes of the request when that ends.
//!
//! A filter such as `Retry` hands over an [`Around`] when a request comes by. They are kept here in
//! the order they were entered, and asked in reverse when what is behind them has ended: with an
//! answer, with a failure, or because their time is over.

use std::time::{Duration, Instant};

use http::header;
use pingora_http::{RequestHeader, ResponseHeader};
use tollgate_filters::{
    Around, Exchange, ExchangeState, Failure, Kept, Outcome, RetryBudget, Row, Verdict,
};

use super::context::{Context, authenticator, row};
use crate::clock;
use crate::snapshot::Reach;

/// A filter's [`Around`], and the request as it came to the filter.
#[derive(Debug)]
pub struct Entered {
    call: Box<dyn Around>,
    /// Counts how often a route was chosen before.
    pass: usize,
    /// Position of the route.
    position: usize,
    /// The filter's place in its chain.
    place: usize,
    /// `None` if nothing behind the filter changes the request.
    before: Option<Kept>,
}

/// What a request does next.
#[derive(Debug)]
pub struct Next {
    /// Where it goes on.
    pub step: Step,
    /// How long it waits before.
    pub after: Duration,
}

/// Where a request goes on.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// A route is chosen.
    Choose,
    /// The filters of the chosen route run from a place on.
    Filters(usize),
}

/// What becomes of a request whose inner part has failed.
#[derive(Debug)]
pub enum Ended {
    /// It failed for good.
    Failed(Failure),
    /// It goes on.
    Next(Next),
    /// It goes on as if an upstream had answered 200 without a body; the way back begins at this
    /// step.
    Complete(usize),
}

/// What becomes of an upstream's answer.
#[derive(Debug)]
pub(super) enum Back {
    /// It goes to the client.
    Done,
    /// It does not.
    Instead(Ended),
}

impl Context {
    /// Keeps what a filter of the chosen route put around the rest.
    pub(super) fn enter(
        &mut self,
        request: &mut RequestHeader,
        place: usize,
        call: Box<dyn Around>,
        is_kept: bool,
    ) {
        let Some(position) = self.position else { return };
        let before = is_kept.then(|| Exchange::new(request, &mut self.state).keep());
        self.around.push(Entered { call, pass: self.pass, position, place, before });
    }

    /// When an answer's head must be there at the latest.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let around = self.around.iter().filter_map(|entered| entered.call.deadline()).min();
        [self.attempt_deadline(), around].into_iter().flatten().min()
    }

    /// Tells everything around that the gateway answers, and that this is not to be changed.
    pub(super) fn settle(&mut self, request: &mut RequestHeader) {
        while let Some(mut entered) = self.around.pop() {
            let mut exchange = Exchange::new(request, &mut self.state);
            // It stays so, whatever is said.
            let _verdict = entered.call.ended(&Outcome::Settled, &mut exchange);
        }
    }

    /// Asks what is around what becomes of a failure.
    pub(super) fn unwind(&mut self, request: &mut RequestHeader, mut failure: Failure) -> Ended {
        while !self.around.is_empty() {
            match self.ask(request, &Outcome::Failed(&failure)) {
                Judged::Stays => {}
                Judged::Fails(other) => failure = other,
                Judged::Next(next) => return Ended::Next(next),
                Judged::Complete => return self.complete(),
            }
        }
        Ended::Failed(failure)
    }

    /// Gives up on an answer that is not there at its deadline.
    pub(super) fn give_up(&mut self, request: &mut RequestHeader, now: Instant) -> Ended {
        let own = self.attempt_deadline().filter(|deadline| *deadline <= now);
        // What is furthest out gives everything further in up.
        let expired = self.around.iter().position(|entered| {
            entered
                .call
                .deadline()
                .is_some_and(|deadline| deadline <= now && own.is_none_or(|own| deadline <= own))
        });
        let Some(expired) = expired else { return self.unwind(request, self.late()) };
        self.around.truncate(expired + 1);
        match self.ask(request, &Outcome::Expired) {
            Judged::Stays => self.unwind(request, self.late()),
            Judged::Fails(failure) => self.unwind(request, failure),
            Judged::Next(next) => Ended::Next(next),
            Judged::Complete => self.complete(),
        }
    }

    /// Runs the chosen route's filters over a head, from a step of the way back on, and asks what
    /// is around them in between.
    pub(super) async fn on_response(
        &mut self,
        request: &mut RequestHeader,
        head: &mut ResponseHeader,
        from: usize,
    ) -> Back {
        let mut step = from;
        loop {
            let inner = self.around.last().filter(|entered| entered.pass == self.pass);
            let until = inner.map(|entered| entered.place);
            match self.filters_on_response(request, head, step, until).await {
                Ok(after) => step = after,
                Err(failure) => return Back::Instead(self.unwind(request, failure)),
            }
            if until.is_none() {
                break;
            }
            match self.ask(request, &Outcome::Answered(head.status.as_u16())) {
                Judged::Stays => {}
                Judged::Complete => drop(self.around.pop()),
                Judged::Next(next) => return Back::Instead(Ended::Next(next)),
                Judged::Fails(failure) => return Back::Instead(self.unwind(request, failure)),
            }
        }
        // A route that forwarded the request has no say in the answer.
        self.settle(request);
        Back::Done
    }

    async fn filters_on_response(
        &mut self,
        request: &mut RequestHeader,
        head: &mut ResponseHeader,
        from: usize,
        until: Option<usize>,
    ) -> Result<usize, Failure> {
        let snapshot = self.snapshot.as_deref();
        let Some(Row { route, .. }) = row(snapshot, self.position) else { return Ok(from) };
        let mut exchange =
            Exchange::new(request, &mut self.state).with_authenticator(authenticator(snapshot));
        route.chain.on_response(from, until, &mut exchange, head).await
    }

    /// Asks the innermost one and carries out what it says. It is left behind unless it may be asked
    /// again, or says that nothing failed.
    fn ask(&mut self, request: &mut RequestHeader, outcome: &Outcome<'_>) -> Judged {
        let Some(entered) = self.around.last_mut() else { return Judged::Stays };
        let mut exchange = Exchange::new(request, &mut self.state);
        let verdict = entered.call.ended(outcome, &mut exchange);
        let judged = self.judge(request, verdict);
        if matches!(judged, Judged::Stays | Judged::Fails(_)) {
            self.around.pop();
        }
        judged
    }

    /// Carries out what the innermost one decided.
    fn judge(&mut self, request: &mut RequestHeader, verdict: Verdict) -> Judged {
        match verdict {
            Verdict::Pass => Judged::Stays,
            Verdict::Fail(failure) => Judged::Fails(failure),
            Verdict::Complete => Judged::Complete,
            Verdict::Again { after } => {
                if !self.may_retry() {
                    return Judged::Stays;
                }
                let Some(entered) = self.around.last() else { return Judged::Stays };
                entered.restore(request, &mut self.state);
                self.position = Some(entered.position);
                self.pass = entered.pass;
                Judged::Next(Next { step: Step::Filters(entered.place + 1), after })
            }
            Verdict::Forward { path, cause } => {
                let Some(entered) = self.around.last() else { return Judged::Fails(cause) };
                // The mark of `PrefixPath` stays, as it does for `forward:`.
                let prefixed = self.state.prefixed;
                entered.restore(request, &mut self.state);
                self.state.prefixed = prefixed;
                match self.forward(request, &path, cause) {
                    Ok(next) => Judged::Next(next),
                    Err(failure) => Judged::Fails(failure),
                }
            }
        }
    }

    /// Gives a request to whatever takes another path.
    pub(super) fn forward(
        &mut self,
        request: &mut RequestHeader,
        path: &str,
        cause: Failure,
    ) -> Result<Next, Failure> {
        let mut exchange = Exchange::new(request, &mut self.state);
        exchange.set_path(path)?;
        exchange.strip_header(&header::ORIGIN);
        self.state.cause = Some(Box::new(cause));
        Ok(Next { step: Step::Choose, after: Duration::ZERO })
    }

    /// Whether an upstream may be asked once more for the sake of a retry.
    fn may_retry(&self) -> bool {
        let has_budget = || self.budget().is_none_or(|budget| budget.may_retry(clock::now()));
        self.state.is_repeatable && has_budget()
    }

    /// What bounds the retries of the chosen route's upstream; `None` where there is no upstream.
    pub(super) fn budget(&self) -> Option<&RetryBudget> {
        match &self.plan()?.reach {
            Reach::Direct(destination) => Some(destination.upstream.budget()),
            Reach::Balanced { service, .. } => Some(service.budget()),
            Reach::Nowhere => None,
        }
    }

    /// The innermost one says that nothing failed.
    fn complete(&mut self) -> Ended {
        let Some(entered) = self.around.pop() else { return Ended::Complete(0) };
        self.position = Some(entered.position);
        self.pass = entered.pass;
        let snapshot = self.snapshot.as_deref();
        let step = row(snapshot, self.position)
            .map_or(0, |row| row.route.chain.step_behind(entered.place));
        Ended::Complete(step)
    }
}

impl Entered {
    /// Undoes what was done to the request since.
    fn restore(&self, request: &mut RequestHeader, state: &mut ExchangeState) {
        if let Some(before) = &self.before {
            Exchange::new(request, state).restore(before);
        }
    }
}

/// What follows from a verdict.
enum Judged {
    Stays,
    Fails(Failure),
    Next(Next),
    Complete,
}
