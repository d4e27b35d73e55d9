//! The attempts of one request.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::Policy;
use crate::duration::iso_text;
use crate::{Around, Exchange, Failure, Outcome, Parts, Verdict};

/// What a `Retry` shares with the requests that it has let pass.
#[derive(Debug)]
pub(crate) struct Rules {
    /// What it goes by.
    pub(crate) policy: Policy,
    /// Time and random numbers.
    pub(crate) parts: OnceLock<Parts>,
}

/// The attempts of one request behind one `Retry`.
#[derive(Debug)]
pub(crate) struct Attempts {
    rules: Arc<Rules>,
    /// When the time for attempts is over.
    end: Option<Instant>,
    /// When this attempt's time is over.
    deadline: Option<Instant>,
    /// What followed from statuses.
    repeats: Turns,
    /// What followed from failures, since the last of the statuses.
    retries: Turns,
}

/// A sequence of attempts that waits grow over.
#[derive(Debug, Clone, Copy, Default)]
struct Turns {
    count: u32,
    /// The last wait.
    waited: Duration,
}

/// Why there is no other attempt.
enum Over {
    /// It may not be.
    Refused,
    /// There is no time.
    Late,
}

impl Rules {
    fn now(&self) -> Option<Instant> {
        self.parts.get().map(|parts| (parts.clock)())
    }
}

impl Attempts {
    /// The first attempt begins.
    pub(crate) fn begin(rules: &Arc<Rules>) -> Self {
        let policy = &rules.policy;
        let is_timed = policy.timeout.is_some() || policy.attempt_timeout.is_some();
        let now = if is_timed { rules.now() } else { None };
        let after = |wait: Option<Duration>| now?.checked_add(wait?);
        Self {
            end: after(policy.timeout),
            deadline: after(policy.attempt_timeout),
            rules: Arc::clone(rules),
            repeats: Turns::default(),
            retries: Turns::default(),
        }
    }

    fn answered(&mut self, status: u16, exchange: &mut Exchange<'_>) -> Verdict {
        let may_be = self.may_go_on(exchange) && self.rules.policy.takes_status(status);
        match self.next(may_be, self.repeats) {
            Ok(turns) => {
                self.repeats = turns;
                self.retries = Turns::default();
                Verdict::Again { after: turns.waited }
            }
            Err(Over::Refused | Over::Late) => Verdict::Pass,
        }
    }

    fn failed(&mut self, failure: &Failure, exchange: &mut Exchange<'_>) -> Verdict {
        let may_be = self.may_go_on(exchange) && self.rules.policy.takes_failure(failure);
        match self.next(may_be, self.retries) {
            Ok(turns) => {
                self.retries = turns;
                Verdict::Again { after: turns.waited }
            }
            Err(Over::Refused) => Verdict::Pass,
            Err(Over::Late) => Verdict::Fail(Failure::RetryExhausted(Box::new(failure.clone()))),
        }
    }

    /// Counts the attempt that has ended, and tells whether another may follow.
    fn may_go_on(&self, exchange: &mut Exchange<'_>) -> bool {
        let ended = &mut exchange.state().attempts_ended;
        *ended = ended.saturating_add(1);
        *ended <= self.rules.policy.retries
    }

    /// The turn that follows these, if there is one.
    fn next(&mut self, may_be: bool, turns: Turns) -> Result<Turns, Over> {
        if !may_be {
            return Err(Over::Refused);
        }
        let policy = &self.rules.policy;
        let count = turns.count + 1;
        let previous = (turns.count > 0).then_some(turns.waited);
        let waited = match (&policy.backoff, self.rules.parts.get()) {
            (Some(backoff), Some(parts)) => backoff.wait(count, previous, parts.random),
            _ => Duration::ZERO,
        };
        if self.end.is_some() || policy.attempt_timeout.is_some() {
            let begins = self.rules.now().and_then(|now| now.checked_add(waited));
            if self.end.is_some_and(|end| begins.is_none_or(|begins| begins > end)) {
                return Err(Over::Late);
            }
            let deadline = begins.zip(policy.attempt_timeout);
            self.deadline = deadline.and_then(|(begins, limit)| begins.checked_add(limit));
        }
        Ok(Turns { count, waited })
    }

    /// What an attempt that took too long has failed with.
    fn expired(&self) -> Failure {
        let limit = self.rules.policy.attempt_timeout.unwrap_or_default();
        Failure::UpstreamTimeout(format!("Response took longer than timeout: {}", iso_text(limit)))
    }
}

impl Around for Attempts {
    fn ended(&mut self, outcome: &Outcome<'_>, exchange: &mut Exchange<'_>) -> Verdict {
        match outcome {
            Outcome::Answered(status) => self.answered(*status, exchange),
            Outcome::Failed(failure) => self.failed(failure, exchange),
            Outcome::Expired => {
                let failure = self.expired();
                let verdict = self.failed(&failure, exchange);
                // To pass would leave it to others to say what has failed.
                if verdict == Verdict::Pass { Verdict::Fail(failure) } else { verdict }
            }
            Outcome::Settled => Verdict::Pass,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
