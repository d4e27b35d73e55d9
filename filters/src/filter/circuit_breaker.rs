//! `CircuitBreaker=name` keeps requests from an upstream that is in trouble.
//!
//! ```yaml
//! - name: CircuitBreaker
//!   args:
//!     name: backend                  # default: the route's id
//!     fallbackUri: forward:/fallback # where a request goes instead; default: nowhere
//!     statusCodes: [500, NOT_FOUND]  # answers that count as failures; default: none
//!     resumeWithoutError: false      # whether a failure becomes an empty 200, or its own answer
//! ```
//!
//! Filters with one name, on whatever route, share one breaker. Windows, thresholds and waits, the
//! time limit (1 s unless `resilience4j.timelimiter` says otherwise) and a bulkhead are found by the
//! name under `resilience4j`. The limit ends when the answer's head is there; bodies may take longer.
//!
//! Without a fallback an open breaker is 503, an expired limit 504, a status that counts as a failure
//! 500, any other failure what it is.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Filter, Flow, Hook};
use crate::arguments::{FromArguments, Shortcut, UnitSettings};
use crate::breaker::{Breaker, BreakerConfig, Bulkhead, BulkheadConfig, BulkheadPermit, Permit};
use crate::exception::{self, Class};
use crate::status::Status;
use crate::template::ForwardTemplate;
use crate::{
    Answer, Around, Exchange, Failure, Invalid, MonotonicClock, Outcome, Parts, Variables, Verdict,
};

/// Keeps requests from an upstream that is in trouble.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    /// Requests share it with those that the filter has let pass.
    rules: Arc<Rules>,
    parts: OnceLock<InUse>,
}

/// What the file says.
#[derive(Debug)]
struct Rules {
    name: Box<str>,
    /// The name as it is written, for the text form.
    written: Box<str>,
    fallback: Option<ForwardTemplate>,
    statuses: Vec<u16>,
    resumes: bool,
    time_limit: Option<Duration>,
    breaker: BreakerConfig,
    bulkhead: Option<BulkheadConfig>,
    /// What counts as a failure; none means everything.
    recorded: Vec<Class>,
    /// What does not count at all.
    ignored: Vec<Class>,
}

/// What outlives the route table.
struct InUse {
    clock: MonotonicClock,
    breaker: Arc<Breaker>,
    bulkhead: Option<Arc<Bulkhead>>,
}

/// What a route file may say.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    /// What the breaker is known by. Default: the route's id.
    #[serde(default)]
    name: String,
    /// Where a request goes that failed. Default: nowhere.
    #[serde(default)]
    fallback_uri: Option<String>,
    /// Numbers and names of statuses. Default: none.
    #[serde(default)]
    status_codes: Vec<String>,
    /// Whether a failure becomes an answer. Default false.
    #[serde(default)]
    resume_without_error: bool,
}

impl FromArguments for CircuitBreaker {
    const NAME: &'static str = "CircuitBreaker";
    const SHORTCUT: Shortcut = Shortcut::Fields(&["name"]);
    type Config = Config;

    fn from_arguments(config: Config, settings: &mut UnitSettings<'_>) -> Result<Self, Invalid> {
        let blank = config.name.trim().is_empty();
        let name = if blank { settings.route_id } else { &config.name };
        let mut statuses = Vec::new();
        for text in &config.status_codes {
            let status = Status::parse(text)
                .map_err(|problem| Invalid { field: Some("statusCodes"), ..problem })?;
            // The reference knows no others, and says nothing.
            statuses.extend(status.sendable().filter(|_| status.is_standard));
        }
        let fallback = config.fallback_uri.filter(|text| !text.is_empty());
        let fallback = fallback.map(|text| ForwardTemplate::new("fallbackUri", &text));
        let fallback = fallback.transpose()?;
        if let Some(fallback) = &fallback {
            fallback.check("fallbackUri", settings)?;
        }
        let (breaker, _) = settings.resilience.breaker(name);
        let rules = Rules {
            name: name.into(),
            written: config.name.as_str().into(),
            fallback,
            statuses,
            resumes: config.resume_without_error,
            time_limit: settings.resilience.time_limit(name),
            recorded: classes(&breaker.record_exceptions),
            ignored: classes(&breaker.ignore_exceptions),
            bulkhead: settings.resilience.bulkhead(name),
            breaker,
        };
        Ok(Self { rules: Arc::new(rules), parts: OnceLock::new() })
    }
}

/// The reader of the file has told of names that nobody knows.
fn classes(names: &[String]) -> Vec<Class> {
    names.iter().filter_map(|name| Class::named(name)).collect()
}

impl Filter for CircuitBreaker {
    fn on_request<'a>(&'a self, exchange: &'a mut Exchange<'_>) -> Hook<'a, Flow> {
        Hook::Ready(self.enter(exchange.variables()))
    }

    /// A fallback takes the request elsewhere.
    fn changes_request(&self) -> bool {
        self.rules.fallback.is_some()
    }

    fn prepare(&self, parts: &Parts) {
        self.parts.get_or_init(|| InUse {
            clock: Arc::clone(&parts.clock),
            breaker: parts.breakers.get(&self.rules.name, &self.rules.breaker),
            bulkhead: self
                .rules
                .bulkhead
                .map(|config| parts.breakers.bulkhead(&self.rules.name, config)),
        });
    }
}

impl CircuitBreaker {
    fn enter(&self, variables: &Variables) -> Result<Flow, Failure> {
        let Some(InUse { clock, breaker, bulkhead }) = self.parts.get() else {
            return Err(Failure::Filter("the circuit breaker is not in use".to_owned()));
        };
        let place = bulkhead.as_ref().map(Bulkhead::try_acquire);
        if let (Some(None), Some(bulkhead)) = (&place, bulkhead) {
            let cause = Failure::BulkheadFull(Arc::clone(bulkhead.name()));
            return self.refuse(cause, variables);
        }
        let permit = match breaker.acquire() {
            Ok(permit) => permit,
            Err(refused) => {
                let cause = Failure::CircuitOpen(refused.name, refused.state.name());
                return self.refuse(cause, variables);
            }
        };
        let deadline = self.rules.time_limit.and_then(|limit| clock().checked_add(limit));
        let rules = Arc::clone(&self.rules);
        let stage = Stage::Calls { permit, _place: place.flatten() };
        Ok(Flow::Around(Box::new(Call { rules, deadline, stage })))
    }

    fn refuse(&self, cause: Failure, variables: &Variables) -> Result<Flow, Failure> {
        let Some(fallback) = &self.rules.fallback else {
            if self.rules.resumes && !is_never_hidden(&cause) {
                return Ok(Flow::Respond(Box::new(Answer::new(200))));
            }
            return Err(cause);
        };
        let path = fallback.expand(variables)?;
        let rules = Arc::clone(&self.rules);
        let call = Box::new(Call { rules, deadline: None, stage: Stage::FellBack });
        Ok(Flow::Forward { path, cause: Box::new(cause), call })
    }
}

/// A request that the breaker has let pass.
#[derive(Debug)]
struct Call {
    rules: Arc<Rules>,
    deadline: Option<Instant>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// What is behind the breaker goes on.
    Calls {
        permit: Permit,
        /// Given back when the call has ended.
        _place: Option<BulkheadPermit>,
    },
    /// It has ended, and the fallback goes on if there is one.
    FellBack,
}

impl Around for Call {
    fn ended(&mut self, outcome: &Outcome<'_>, exchange: &mut Exchange<'_>) -> Verdict {
        match std::mem::replace(&mut self.stage, Stage::FellBack) {
            Stage::Calls { permit, .. } => {
                self.deadline = None;
                self.call_ended(permit, outcome, exchange)
            }
            Stage::FellBack => match outcome {
                Outcome::Failed(failure) => self.without_fallback(failure),
                Outcome::Answered(_) | Outcome::Expired | Outcome::Settled => Verdict::Pass,
            },
        }
    }

    fn may_go_back(&self) -> bool {
        self.rules.fallback.is_some()
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

impl Call {
    fn call_ended(
        &self,
        permit: Permit,
        outcome: &Outcome<'_>,
        exchange: &mut Exchange<'_>,
    ) -> Verdict {
        let rules = &self.rules;
        let cause = match outcome {
            Outcome::Answered(status) if rules.statuses.contains(status) => {
                let cause = Failure::UpstreamStatus(*status);
                rules.record(permit, &cause);
                if rules.fallback.is_none() && rules.resumes {
                    return Verdict::Pass;
                }
                cause
            }
            Outcome::Answered(_) | Outcome::Settled => {
                permit.succeed();
                return Verdict::Pass;
            }
            Outcome::Expired => {
                let limit = rules.time_limit.unwrap_or_default();
                let cause = Failure::TimeLimit(limit.as_millis());
                rules.record_expired(permit, &cause, limit);
                cause
            }
            Outcome::Failed(failure) => {
                rules.record(permit, failure);
                (*failure).clone()
            }
        };
        let Some(fallback) = &rules.fallback else { return self.without_fallback(&cause) };
        if !exchange.state().is_repeatable {
            return Verdict::Fail(cause);
        }
        match fallback.expand(exchange.variables()) {
            Ok(path) => Verdict::Forward { path, cause },
            Err(failure) => Verdict::Fail(failure),
        }
    }

    fn without_fallback(&self, failure: &Failure) -> Verdict {
        if self.rules.resumes && !is_never_hidden(failure) {
            return Verdict::Complete;
        }
        Verdict::Fail(failure.clone())
    }
}

/// What `resumeWithoutError` shows all the same: what the breaker itself says.
fn is_never_hidden(failure: &Failure) -> bool {
    matches!(failure, Failure::CircuitOpen(..) | Failure::TimeLimit(_))
}

impl Rules {
    fn is_ignored(&self, failure: &Failure) -> bool {
        self.ignored.iter().any(|class| exception::is_instance(failure, *class))
    }

    fn is_recorded(&self, failure: &Failure) -> bool {
        // Names that nobody knows match nothing, but they are not the same as none.
        let all = self.breaker.record_exceptions.is_empty();
        all || self.recorded.iter().any(|class| exception::is_instance(failure, *class))
    }

    fn record(&self, permit: Permit, failure: &Failure) {
        if self.is_ignored(failure) {
            permit.ignore();
        } else if self.is_recorded(failure) {
            permit.fail_because(failure.code());
        } else {
            permit.succeed();
        }
    }

    /// As [`Rules::record`], for a call that was given up.
    fn record_expired(&self, permit: Permit, failure: &Failure, limit: Duration) {
        if self.is_ignored(failure) || !self.is_recorded(failure) {
            self.record(permit, failure);
        } else {
            permit.fail_after(limit);
        }
    }
}

impl fmt::Debug for InUse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("InUse").field(&self.breaker).field(&self.bulkhead).finish()
    }
}

impl fmt::Display for CircuitBreaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fallback = self.rules.fallback.as_ref().map_or("''", ForwardTemplate::as_str);
        let name = &self.rules.written;
        let factory = "SpringCloudCircuitBreakerResilience4JFilterFactory";
        write!(formatter, "{factory} name = '{name}', fallback = {fallback}")
    }
}
