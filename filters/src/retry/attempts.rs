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

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "to have an instant to count from")]

    use std::sync::Mutex;

    use http::Method;

    use super::*;
    use crate::exception::Class;
    use crate::retry::{Backoff, Series};
    use crate::testing::head;
    use crate::{ExchangeState, MonotonicClock};

    const MILLI: Duration = Duration::from_millis(1);

    /// Attempts behind a `Retry` with these limits, and a clock that is set by hand.
    struct Stage {
        origin: Instant,
        passed: Arc<Mutex<Duration>>,
        attempts: Attempts,
    }

    impl Stage {
        fn new(timeout: Option<Duration>, attempt_timeout: Option<Duration>) -> Self {
            let backoff = Backoff {
                first: 10 * MILLI,
                most: None,
                factor: 2,
                is_based_on_previous: true,
                jitter: None,
            };
            let policy = Policy {
                retries: 3,
                series: vec![Series::ServerError],
                statuses: Vec::new(),
                methods: vec![Method::GET],
                exceptions: Class::named("java.io.IOException").into_iter().collect(),
                backoff: Some(backoff),
                timeout,
                attempt_timeout,
            };
            let origin = Instant::now();
            let passed = Arc::new(Mutex::new(Duration::ZERO));
            let for_clock = Arc::clone(&passed);
            let clock: MonotonicClock = Arc::new(move || origin + *for_clock.lock().unwrap());
            let random = || 0.0;
            let parts = OnceLock::from(Parts::in_process(clock, random));
            let attempts = Attempts::begin(&Arc::new(Rules { policy, parts }));
            Self { origin, passed, attempts }
        }

        /// When the deadline is, in milliseconds.
        fn deadline(&self) -> Option<u128> {
            self.attempts.deadline().map(|at| at.duration_since(self.origin).as_millis())
        }

        fn end(&mut self, at: u32, outcome: &Outcome<'_>) -> Verdict {
            *self.passed.lock().unwrap() = MILLI * at;
            let mut head = head("GET /");
            let mut state = ExchangeState::default();
            self.attempts.ended(outcome, &mut Exchange::new(&mut head, &mut state))
        }
    }

    #[test]
    fn every_attempt_has_its_own_time_from_when_it_begins() {
        let mut stage = Stage::new(None, Some(100 * MILLI));
        assert_eq!(stage.deadline(), Some(100));
        assert_eq!(stage.end(40, &Outcome::Answered(500)), Verdict::Again { after: 10 * MILLI });
        assert_eq!(stage.deadline(), Some(40 + 10 + 100));
    }

    #[test]
    fn an_attempt_without_a_limit_has_no_deadline() {
        let mut stage = Stage::new(Some(100 * MILLI), None);
        assert_eq!(stage.end(0, &Outcome::Answered(500)), Verdict::Again { after: 10 * MILLI });
        assert_eq!(stage.deadline(), None);
    }

    #[test]
    fn a_wait_may_end_with_the_time_for_all_of_them_but_not_after_it() {
        let mut stage = Stage::new(Some(100 * MILLI), None);
        assert_eq!(stage.end(90, &Outcome::Answered(500)), Verdict::Again { after: 10 * MILLI });
        let mut stage = Stage::new(Some(100 * MILLI), None);
        assert_eq!(stage.end(91, &Outcome::Answered(500)), Verdict::Pass);
    }

    #[test]
    fn an_attempt_that_took_too_long_fails_as_a_late_answer_does() {
        let mut stage = Stage::new(Some(50 * MILLI), Some(200 * MILLI));
        let late = "Response took longer than timeout: PT0.2S".to_owned();
        let failure = Failure::UpstreamTimeout(late);
        // Its class is not in the list.
        assert_eq!(stage.end(200, &Outcome::Expired), Verdict::Fail(failure));
    }

    #[test]
    fn what_is_retried_and_has_no_time_tells_why() {
        let mut stage = Stage::new(Some(50 * MILLI), None);
        let refused = Failure::UpstreamRefused("a".to_owned());
        let verdict = stage.end(60, &Outcome::Failed(&refused));
        assert_eq!(verdict, Verdict::Fail(Failure::RetryExhausted(Box::new(refused))));
    }
}
