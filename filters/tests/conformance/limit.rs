//! Rate limits: buckets by themselves, and requests one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tollgate_filters::limit::{BucketStores, Buckets, HeaderNames, LimitSettings, Policy, Taken};
use tollgate_filters::{
    Chain, Exchange, ExchangeState, Failure, Flow, Hook, MonotonicClock, Parts,
};

use super::case::{BucketProbe, Case, Limits, Step};
use super::run::{add_pending, check_lines, now, request_head, response_head};

pub(crate) fn settings(written: &Limits) -> LimitSettings {
    let policy = |numbers: &[i32; 3]| {
        let [rate, burst, cost] = *numbers;
        Policy::written(rate, burst.into(), cost).unwrap()
    };
    LimitSettings {
        headers: (!written.without_headers).then(HeaderNames::default),
        deny_empty_key: written.deny_empty_key.unwrap_or(true),
        throw_on_limit: written.throw_on_limit,
        config: written.config.iter().map(|(id, numbers)| (id.clone(), policy(numbers))).collect(),
        ..LimitSettings::default()
    }
}

pub(crate) fn check_bucket(probe: &BucketProbe) -> Result<(), String> {
    let policy = Policy::written(probe.rate, probe.capacity, probe.requested)
        .map_err(|problem| problem.to_string())?;
    if policy.life() < probe.life {
        return Err(format!("is kept {} s", policy.life()));
    }
    let mut bucket = None;
    for call in &probe.calls {
        let (taken, left) = policy.take(bucket, call.now);
        if taken != (Taken { allowed: call.allowed, remaining: call.remaining }) {
            return Err(format!("{call:?} gives {taken:?}"));
        }
        bucket = (policy.life() > 0).then_some(left);
    }
    Ok(())
}

pub(crate) fn check_steps(case: &Case, chain: &Chain) -> Result<(), String> {
    if case.steps.is_empty() {
        return Ok(());
    }
    let seconds = Arc::new(AtomicU64::new(0));
    chain.prepare(&parts(&seconds, case.settings.limits.lost));
    for (at, step) in case.steps.iter().enumerate() {
        seconds.store(step.at, Ordering::Relaxed);
        for _ in 0..step.times {
            check_step(step, chain).map_err(|problem| format!("step {at}: {problem}"))?;
        }
    }
    Ok(())
}

fn check_step(step: &Step, chain: &Chain) -> Result<(), String> {
    let mut head = request_head(&step.request)?;
    let client = Some("192.0.2.1".parse().unwrap());
    let mut state = ExchangeState { client, ..ExchangeState::default() };
    let mut exchange = Exchange::new(&mut head, &mut state);
    let status = match now(chain.on_request(&mut 0, &mut exchange)) {
        Ok(Flow::Continue) => 200,
        Ok(Flow::Refuse(failure)) => failure.status(),
        Err(failure) => {
            // What an exception is, a client cannot tell from a refusal.
            if !step.client.starts_with("500") {
                return Err(format!("fails: {failure}"));
            }
            failure.status()
        }
        Ok(other) => return Err(format!("{other:?}")),
    };
    let mut answer = response_head(&status.to_string());
    add_pending(&state, &mut answer);
    check_lines(&step.client, answer.status.as_str(), &answer.headers)
}

fn parts(seconds: &Arc<AtomicU64>, is_lost: bool) -> Parts {
    #[expect(clippy::disallowed_methods, reason = "any instant to count from")]
    let began = Instant::now();
    let seconds = Arc::clone(seconds);
    let clock: MonotonicClock =
        Arc::new(move || began + Duration::from_secs(seconds.load(Ordering::Relaxed)));
    let parts = Parts::in_process(clock, || 0.5);
    if !is_lost {
        return parts;
    }
    let buckets = BucketStores::new(|_| Arc::new(Lost), parts.buckets.local());
    Parts { buckets, ..parts }
}

/// A store that does not answer.
#[derive(Debug)]
struct Lost;

impl Buckets for Lost {
    fn take(&self, _: &str, _: &[u8], _: &Policy) -> Hook<'_, Taken> {
        Hook::Wait(Box::pin(async { Err(Failure::LimiterUnavailable("gone".to_owned())) }))
    }
}
