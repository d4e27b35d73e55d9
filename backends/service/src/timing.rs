//! How long things may take and how often they are tried: one profile, shared by all services.
//!
//! The setting `timing.<name>` is the variable `TIMING_<NAME>`. A duration is a number with its
//! unit, as in `2s`, `250ms`, `15m` or `1m 30s`; a list of them is separated by commas, and where it
//! ends its last one goes on; a count is a whole number.
//!
//! A service refuses to start with a profile in which a timer would overtake what it waits for;
//! [`Timing::read`] names both settings.

use std::time::Duration;

use jiff::SignedDuration;

use crate::settings::Reader;

/// The most often a call is repeated.
const MOST_RETRIES: u32 = 10;
/// The share of `max_poll_interval` that one attempt may take.
const SHARE_OF_POLL: u32 = 3;

/// One table: name, type, default, meaning.
macro_rules! timings {
    ($($name:ident: $kind:ty = $default:expr, $variable:literal, $doc:literal;)*) => {
        /// Every timing of the platform.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Timing {
            $(#[doc = $doc] #[doc = concat!("\n\n`", $variable, "`")] pub $name: $kind,)*
        }

        impl Default for Timing {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Timing {
            /// The variable of each.
            pub const VARIABLES: &[&str] = &[$($variable,)*];

            fn read_each(reader: &mut Reader<'_>) -> Self {
                let default = Self::default();
                Self { $($name: <$kind as Value>::read(reader, $variable, default.$name),)* }
            }
        }
    };
}

timings! {
    cms_timeout: Duration = seconds(2), "TIMING_CMS_TIMEOUT", "One call of the CMS, from connecting to the last byte (2 s).";
    cms_retries: u32 = 1, "TIMING_CMS_RETRIES", "Further attempts at calls of the CMS that may be repeated (1).";
    payment_timeout: Duration = seconds(2), "TIMING_PAYMENT_TIMEOUT", "One call of the payment service (2 s).";
    payment_retries: u32 = 1, "TIMING_PAYMENT_RETRIES", "Further attempts at calls of the payment service that may be repeated (1).";
    pg_timeout: Duration = seconds(10), "TIMING_PG_TIMEOUT", "One call of the payment gateway: confirm, cancel or query (10 s).";
    create_timeout: Duration = seconds(60), "TIMING_CREATE_TIMEOUT", "How long a reservation may be in the making, T05 (60 s).";
    hold: Duration = minutes(15), "TIMING_HOLD", "How long the CMS holds a room before it is paid (15 min).";
    min_hold_left: Duration = minutes(2), "TIMING_MIN_HOLD_LEFT", "What must be left of the hold at an approval, T06 (2 min).";
    approve_lead: Duration = seconds(30), "TIMING_APPROVE_LEAD", "How long before the hold's end a payment may last be confirmed (30 s).";
    skew_margin: Duration = seconds(5), "TIMING_SKEW_MARGIN", "By how much clocks may differ (5 s).";
    pg_window: Duration = minutes(30), "TIMING_PG_WINDOW", "How long a payment window lives at the payment gateway (30 min).";
    pg_session: Duration = minutes(10), "TIMING_PG_SESSION", "How long after the client's authentication the payment gateway takes a confirm (10 min).";
    payment_ttl: Duration = minutes(30), "TIMING_PAYMENT_TTL", "How long a payment waits for its client, Y09 (30 min).";
    safe_abort_wait: Duration = minutes(10), "TIMING_SAFE_ABORT_WAIT", "When a confirm that the payment gateway does not know is given up, Y06b (10 min).";
    result_timeout: Duration = seconds(30), "TIMING_RESULT_TIMEOUT", "When, and how often, payment is asked for a missing result, T14 (30 s).";
    confirm_deadline: Duration = minutes(5), "TIMING_CONFIRM_DEADLINE", "How long the CMS may take to fix a paid booking, T16 (5 min).";
    refund_check: Duration = seconds(60), "TIMING_REFUND_CHECK", "When payment is first asked about a refund, T27 (60 s).";
    refund_recheck: Duration = minutes(5), "TIMING_REFUND_RECHECK", "How often it is asked after that (5 min).";
    payment_recheck: Duration = hours(24), "TIMING_PAYMENT_RECHECK", "How often the payment gateway is asked about a payment that is done (24 h).";
    step_lease: Duration = seconds(15), "TIMING_STEP_LEASE", "How long a saga step, a create or a payment belongs to whoever took it (15 s).";
    step_retry: Vec<Duration> = vec![Duration::from_millis(200), seconds(1), seconds(5)], "TIMING_STEP_RETRY", "Before a step or a record is tried again in place (200 ms, 1 s, 5 s).";
    step_retry_later: Vec<Duration> = vec![seconds(10), seconds(30), seconds(60)], "TIMING_STEP_RETRY_LATER", "Before the worker tries a step again (10 s, 30 s, then every 60 s).";
    reconcile: Vec<Duration> = vec![seconds(2), seconds(5), seconds(15), seconds(60)], "TIMING_RECONCILE", "Before the payment gateway is asked about a payment in doubt (2 s, 5 s, 15 s, then every 60 s).";
    stuck_after: Duration = seconds(30), "TIMING_STUCK_AFTER", "When a payment in progress is looked into although nobody flagged it, Y06 (30 s).";
    refund_retry: Vec<Duration> = vec![seconds(5), seconds(30), minutes(2), minutes(10), hours(1)], "TIMING_REFUND_RETRY", "Before a refund is tried again (5 s, 30 s, 2 min, 10 min, then hourly).";
    inplace_budget: Duration = seconds(30), "TIMING_INPLACE_BUDGET", "How long one record may be retried in place (30 s).";
    max_poll_interval: Duration = minutes(5), "TIMING_MAX_POLL_INTERVAL", "How long a consumer may stay away from its broker (5 min).";
    revoke_wait: Duration = seconds(5), "TIMING_REVOKE_WAIT", "How long a record in flight may finish after its partition was taken away (5 s).";
    pause_backoff: Vec<Duration> = vec![seconds(1), seconds(2), seconds(4), seconds(8), seconds(16), seconds(30)], "TIMING_PAUSE_BACKOFF", "Before a partition goes on after an outage (1 s, doubled up to 30 s).";
    notify_retry: Vec<Duration> = vec![Duration::ZERO, seconds(30), minutes(2), minutes(10), hours(1), hours(6)], "TIMING_NOTIFY_RETRY", "Before each attempt at a delivery (0 s, 30 s, 2 min, 10 min, 1 h, 6 h), then it failed.";
    webhook_retry: Vec<Duration> = vec![minutes(1), minutes(4), minutes(16), minutes(64), minutes(256), minutes(1024), minutes(4096)], "TIMING_WEBHOOK_RETRY", "Before the payment gateway's stand-in announces something again (1, 4, 16, 64, 256, 1024, 4096 min), then it gives up.";
    relay_poll: Duration = Duration::from_millis(50), "TIMING_RELAY_POLL", "How often the relay looks for records that nobody told it of (50 ms).";
    relay_lease: Duration = seconds(5), "TIMING_RELAY_LEASE", "How long one relay owns an outbox (5 s).";
    outbox_age: Duration = seconds(30), "TIMING_OUTBOX_AGE", "The age of an unpublished record at which a service is not ready (30 s).";
    transaction_timeout: Duration = seconds(10), "TIMING_TRANSACTION_TIMEOUT", "How long Kafka keeps a relay's transaction open (10 s).";
    log_heartbeat: Duration = seconds(1), "TIMING_LOG_HEARTBEAT", "How often a consumer of the embedded log gives a sign of life (1 s).";
    log_lease: Duration = seconds(6), "TIMING_LOG_LEASE", "After how long without one it loses its partitions (6 s).";
    log_busy: Duration = seconds(5), "TIMING_LOG_BUSY", "How long the embedded log may be locked before that is an outage (5 s).";
}

/// A kind of setting.
trait Value: Sized {
    fn read(reader: &mut Reader<'_>, variable: &str, default: Self) -> Self;
}

impl Value for Duration {
    fn read(reader: &mut Reader<'_>, variable: &str, default: Self) -> Self {
        reader.value(variable, default, "a duration such as 2s or 250ms", |text| {
            duration(text).filter(|duration| !duration.is_zero())
        })
    }
}

impl Value for Vec<Duration> {
    fn read(reader: &mut Reader<'_>, variable: &str, default: Self) -> Self {
        reader.value(variable, default, "a list of durations such as 200ms, 1s, 5s", |text| {
            text.split(',').map(|each| duration(each.trim())).collect()
        })
    }
}

impl Value for u32 {
    fn read(reader: &mut Reader<'_>, variable: &str, default: Self) -> Self {
        let expected = format!("a whole number from 0 to {MOST_RETRIES}");
        reader.value(variable, default, &expected, |text| {
            text.parse().ok().filter(|count| *count <= MOST_RETRIES)
        })
    }
}

impl Timing {
    /// Reads the environment; faults, and settings that contradict each other, are recorded in
    /// `reader`.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let timing = Self::read_each(reader);
        for rule in timing.rules() {
            if !rule.holds {
                let Rule { first, relation, second, why, .. } = rule;
                let reason = format!("`{first}` must be {relation} `{second}`, so that {why}");
                reader.reject(&variable(first), reason);
            }
        }
        timing
    }

    /// How long the calls of one create, or of one step, may take together.
    pub fn create_calls(&self) -> Duration {
        self.cms_timeout * (1 + self.cms_retries)
            + self.payment_timeout * (1 + self.payment_retries)
    }

    /// How long one attempt at a record, or one look at what is due, may take: no consumer stays
    /// away from its broker for too long (C7).
    pub fn attempt_limit(&self) -> Duration {
        self.max_poll_interval / SHARE_OF_POLL
    }

    /// What must hold between the settings of a profile.
    fn rules(&self) -> Vec<Rule> {
        [self.rules_of_money(), self.rules_of_calls(), self.rules_of_messages()].concat()
    }

    fn rules_of_money(&self) -> Vec<Rule> {
        let confirmed = "an accepted approval can still be confirmed while the room is held";
        let outlives = "a payment outlives its hold";
        let window = "a payment is not open longer than the payment gateway's window";
        let late = "no payment is given up that the payment gateway may still take";
        vec![
            less("skew_margin", self.skew_margin, "approve_lead", self.approve_lead, confirmed),
            less("approve_lead", self.approve_lead, "min_hold_left", self.min_hold_left, confirmed),
            less("min_hold_left", self.min_hold_left, "hold", self.hold, confirmed),
            most("hold", self.hold, "pg_window", self.pg_window, confirmed),
            most("hold", self.hold, "payment_ttl", self.payment_ttl, outlives),
            most("payment_ttl", self.payment_ttl, "pg_window", self.pg_window, window),
            most("pg_session", self.pg_session, "safe_abort_wait", self.safe_abort_wait, late),
        ]
    }

    fn rules_of_calls(&self) -> Vec<Rule> {
        let cms_calls = self.cms_timeout * (1 + self.cms_retries);
        let calls = "cms_timeout and payment_timeout with their retries";
        let ends = "a call ends before its lease does";
        let overtakes = "a timer does not overtake the owner of a lease";
        let due = "a timer asks only after the answer was due";
        vec![
            less("pg_timeout", self.pg_timeout, "step_lease", self.step_lease, ends),
            less("cms_timeout", self.cms_timeout, "step_lease", self.step_lease, ends),
            less(calls, self.create_calls(), "step_lease", self.step_lease, ends),
            less("step_lease", self.step_lease, "stuck_after", self.stuck_after, overtakes),
            less("step_lease", self.step_lease, "create_timeout", self.create_timeout, overtakes),
            less("pg_timeout", self.pg_timeout, "result_timeout", self.result_timeout, due),
            less(
                "cms_timeout with its retries",
                cms_calls,
                "confirm_deadline",
                self.confirm_deadline,
                due,
            ),
            most("pg_timeout", self.pg_timeout, "refund_check", self.refund_check, due),
            most("refund_check", self.refund_check, "refund_recheck", self.refund_recheck, due),
        ]
    }

    fn rules_of_messages(&self) -> Vec<Rule> {
        let in_place = self.inplace_budget * 3;
        let partition = "a record that is retried does not cost its partition";
        let over = "a consumer stops before another takes over";
        let owns = "a relay keeps its outbox";
        let outlives = "a relay's transaction outlives its lease";
        vec![
            most(
                "inplace_budget × 3",
                in_place,
                "max_poll_interval",
                self.max_poll_interval,
                partition,
            ),
            most("log_heartbeat × 3", self.log_heartbeat * 3, "log_lease", self.log_lease, over),
            less("log_busy", self.log_busy, "log_lease", self.log_lease, over),
            less("relay_poll", self.relay_poll, "relay_lease", self.relay_lease, owns),
            most(
                "relay_lease",
                self.relay_lease,
                "transaction_timeout",
                self.transaction_timeout,
                outlives,
            ),
        ]
    }
}

/// The `attempt`th of `delays`, from 0; where they end the last one goes on.
pub fn delay(delays: &[Duration], attempt: usize) -> Duration {
    delays.get(attempt).or(delays.last()).copied().unwrap_or(Duration::ZERO)
}

#[derive(Debug, Clone)]
struct Rule {
    first: &'static str,
    relation: &'static str,
    second: &'static str,
    holds: bool,
    why: &'static str,
}

fn less(
    first: &'static str,
    a: Duration,
    second: &'static str,
    b: Duration,
    why: &'static str,
) -> Rule {
    Rule { first, relation: "less than", second, holds: a < b, why }
}

fn most(
    first: &'static str,
    a: Duration,
    second: &'static str,
    b: Duration,
    why: &'static str,
) -> Rule {
    Rule { first, relation: "at most", second, holds: a <= b, why }
}

fn variable(name: &str) -> String {
    let name = name.split(' ').next().unwrap_or(name);
    format!("TIMING_{}", name.to_uppercase())
}

fn duration(text: &str) -> Option<Duration> {
    let duration: SignedDuration = text.parse().ok()?;
    duration.try_into().ok()
}

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

const fn hours(count: u64) -> Duration {
    Duration::from_hours(count)
}

#[cfg(test)]
mod tests;
