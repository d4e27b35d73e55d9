use super::*;
use crate::settings::Variables;

fn read<const N: usize>(pairs: [(&str, &str); N]) -> Result<Timing, String> {
    let variables = Variables::from(pairs);
    let mut reader = variables.reader();
    let timing = Timing::read(&mut reader);
    reader
        .finish(Some(timing))
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// B.3
#[test]
fn defaults_are_those_of_the_table() {
    let timing = read([]).unwrap();
    let told = [
        (timing.cms_timeout, 2),
        (timing.payment_timeout, 2),
        (timing.pg_timeout, 10),
        (timing.create_timeout, 60),
        (timing.hold, 900),
        (timing.min_hold_left, 120),
        (timing.approve_lead, 30),
        (timing.skew_margin, 5),
        (timing.pg_window, 1800),
        (timing.pg_session, 600),
        (timing.payment_ttl, 1800),
        (timing.safe_abort_wait, 600),
        (timing.result_timeout, 30),
        (timing.confirm_deadline, 300),
        (timing.refund_check, 60),
        (timing.refund_recheck, 300),
        (timing.step_lease, 15),
        (timing.stuck_after, 30),
        (timing.inplace_budget, 30),
        (timing.max_poll_interval, 300),
        (timing.revoke_wait, 5),
        (timing.relay_lease, 5),
        (timing.outbox_age, 30),
        (timing.transaction_timeout, 10),
        (timing.log_heartbeat, 1),
        (timing.log_lease, 6),
        (timing.log_busy, 5),
    ];
    for (at, (duration, expected)) in told.into_iter().enumerate() {
        assert_eq!(duration, seconds(expected), "row {at}");
    }
    assert_eq!((timing.cms_retries, timing.payment_retries), (1, 1));
    assert_eq!(timing.relay_poll, Duration::from_millis(50));
    assert_eq!(timing.reconcile, [2, 5, 15, 60].map(seconds));
    assert_eq!(timing.refund_retry, [5, 30, 120, 600, 3600].map(seconds));
    assert_eq!(timing.notify_retry, [0, 30, 120, 600, 3600, 21600].map(seconds));
    assert_eq!(timing.webhook_retry, [1, 4, 16, 64, 256, 1024, 4096].map(minutes));
    assert_eq!(timing.step_retry, [200, 1000, 5000].map(Duration::from_millis));
    assert_eq!(timing.step_retry_later, [10, 30, 60].map(seconds));
}

#[test]
fn durations_carry_their_unit() {
    for (text, milliseconds) in [("250ms", 250), ("1s", 1000), ("1m 30s", 90_000)] {
        let timing = read([("TIMING_OUTBOX_AGE", text)]).unwrap();
        assert_eq!(timing.outbox_age, Duration::from_millis(milliseconds), "{text}");
    }
    let timing = read([("TIMING_RECONCILE", "50ms, 1s,2s")]).unwrap();
    assert_eq!(timing.reconcile, [50, 1000, 2000].map(Duration::from_millis));
}

#[test]
fn names_what_cannot_be_used() {
    for text in ["2", "0s", "-2s", "soon", ""] {
        let fault = format!("`TIMING_CMS_TIMEOUT`: `{text}` is not a duration such as 2s or 250ms");
        assert_eq!(read([("TIMING_CMS_TIMEOUT", text)]).unwrap_err(), fault);
    }
    let fault = "`TIMING_CMS_RETRIES`: `11` is not a whole number from 0 to 10; \
        `TIMING_RECONCILE`: `1s, x` is not a list of durations such as 200ms, 1s, 5s";
    let told = read([("TIMING_CMS_RETRIES", "11"), ("TIMING_RECONCILE", "1s, x")]);
    assert_eq!(told.unwrap_err(), fault);
}

///
#[test]
fn settings_that_contradict_each_other_are_both_named() {
    let fault = read([("TIMING_SKEW_MARGIN", "30s")]).unwrap_err();
    let expected = "`TIMING_SKEW_MARGIN`: `skew_margin` must be less than `approve_lead`, so that \
        an accepted approval can still be confirmed while the room is held";
    assert_eq!(fault, expected);
    let broken = [
        ("TIMING_APPROVE_LEAD", "2m"),
        ("TIMING_MIN_HOLD_LEFT", "15m"),
        ("TIMING_HOLD", "31m"),
        ("TIMING_PAYMENT_TTL", "10m"),
        ("TIMING_PAYMENT_TTL", "40m"),
        ("TIMING_SAFE_ABORT_WAIT", "9m"),
        ("TIMING_PG_TIMEOUT", "15s"),
        ("TIMING_CMS_TIMEOUT", "15s"),
        ("TIMING_PAYMENT_RETRIES", "6"),
        ("TIMING_STEP_LEASE", "30s"),
        ("TIMING_CREATE_TIMEOUT", "15s"),
        ("TIMING_RESULT_TIMEOUT", "10s"),
        ("TIMING_CONFIRM_DEADLINE", "4s"),
        ("TIMING_INPLACE_BUDGET", "101s"),
        ("TIMING_LOG_HEARTBEAT", "3s"),
        ("TIMING_LOG_BUSY", "6s"),
        ("TIMING_REFUND_CHECK", "9s"),
        ("TIMING_REFUND_RECHECK", "59s"),
        ("TIMING_RELAY_POLL", "5s"),
        ("TIMING_TRANSACTION_TIMEOUT", "4s"),
    ];
    for (variable, text) in broken {
        let fault = read([(variable, text)]).unwrap_err();
        assert!(fault.contains(" must be "), "{variable}: {fault}");
    }
}

#[test]
fn the_last_delay_goes_on() {
    let delays = [1, 2].map(seconds);
    assert_eq!([0, 1, 2, 9].map(|at| delay(&delays, at)), [1, 2, 2, 2].map(seconds));
    assert_eq!(delay(&[], 0), Duration::ZERO);
}
