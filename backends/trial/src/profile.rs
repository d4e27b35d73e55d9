//! The profile of timings that trials run with: deadlines and waits at about a sixtieth of the
//! defaults, limits and leases only as short as a busy machine allows.

/// Variables that every service gets.
pub type Profile = &'static [(&'static str, &'static str)];

/// What operators run with: the defaults.
pub const DEFAULTS: Profile = &[];

/// The variables of the profile.
pub const SCALED: Profile = &[
    ("TIMING_CMS_TIMEOUT", "400ms"),
    ("TIMING_PAYMENT_TIMEOUT", "400ms"),
    ("TIMING_PG_TIMEOUT", "1s"),
    ("TIMING_CREATE_TIMEOUT", "4s"),
    ("TIMING_HOLD", "20s"),
    ("TIMING_MIN_HOLD_LEFT", "3s"),
    ("TIMING_APPROVE_LEAD", "1s"),
    ("TIMING_SKEW_MARGIN", "200ms"),
    ("TIMING_PG_WINDOW", "30s"),
    ("TIMING_PG_SESSION", "10s"),
    ("TIMING_PAYMENT_TTL", "30s"),
    ("TIMING_SAFE_ABORT_WAIT", "10s"),
    ("TIMING_RESULT_TIMEOUT", "2s"),
    ("TIMING_CONFIRM_DEADLINE", "5s"),
    ("TIMING_REFUND_CHECK", "2s"),
    ("TIMING_REFUND_RECHECK", "5s"),
    ("TIMING_STEP_LEASE", "2s"),
    ("TIMING_STEP_RETRY", "20ms, 100ms, 500ms"),
    ("TIMING_STEP_RETRY_LATER", "300ms, 500ms, 1s"),
    ("TIMING_RECONCILE", "200ms, 500ms, 1s"),
    ("TIMING_STUCK_AFTER", "2500ms"),
    ("TIMING_REFUND_RETRY", "200ms, 500ms, 1s, 2s"),
    ("TIMING_INPLACE_BUDGET", "3s"),
    ("TIMING_MAX_POLL_INTERVAL", "10s"),
    ("TIMING_REVOKE_WAIT", "1s"),
    ("TIMING_PAUSE_BACKOFF", "100ms, 200ms, 500ms"),
    ("TIMING_NOTIFY_RETRY", "0s, 200ms, 500ms, 1s, 2s, 5s"),
    ("TIMING_WEBHOOK_RETRY", "300ms, 1s, 2s, 4s, 8s, 16s, 32s"),
    ("TIMING_RELAY_POLL", "20ms"),
    ("TIMING_RELAY_LEASE", "2s"),
    ("TIMING_OUTBOX_AGE", "5s"),
    ("TIMING_LOG_HEARTBEAT", "300ms"),
    ("TIMING_LOG_LEASE", "2s"),
    ("TIMING_LOG_BUSY", "1500ms"),
];

#[cfg(test)]
mod tests {
    use service::settings::Variables;
    use service::timing::Timing;

    use super::*;

    /// the ratios hold for this profile too, and each of its names is one of a timing.
    #[test]
    fn the_profile_contradicts_nothing() {
        let known = Timing::VARIABLES;
        for (variable, _) in SCALED {
            assert!(known.contains(variable), "{variable}");
        }
        let variables: Variables = SCALED.iter().copied().collect();
        let mut reader = variables.reader();
        let timing = Timing::read(&mut reader);
        let timing = reader.finish(Some(timing)).unwrap();
        assert!(timing.hold < Timing::default().hold / 30);
    }
}
