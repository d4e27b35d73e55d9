//! What filters that stand around a request make of its attempts.
//!
//! An attempt is `HOW -> WHAT`. How it ends is a status, the name of a failure (`refused`, `dns`,
//! `reset`, `tls`, `protocol`, `connect-timeout`, `timeout`, `no-instance`, `open`, `limit`), `expired`
//! or `settled`, after some time if that stands in front: `after 50ms 503`. What follows is `pass`,
//! `again`, `again 10ms`, `forward PATH`, `complete` or `fail CODE`; the attempt after a `forward` is
//! the fallback. Random numbers are 0.5.

#![expect(clippy::disallowed_methods, reason = "the only look at a clock, to have an instant")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pingora_http::RequestHeader;
use tollgate_filters::{
    Around, Chain, DurationText, Exchange, ExchangeState, Failure, Flow, MonotonicClock, Parts,
    Variables, Verdict,
};

use super::run::{Outcome, now};

/// Runs attempts, one after the other.
pub(crate) fn check(
    chain: &Chain,
    head: &mut RequestHeader,
    variables: Variables,
    attempts: &[String],
) -> Outcome {
    let origin = Instant::now();
    let passed = Arc::new(Mutex::new(Duration::ZERO));
    let for_clock = Arc::clone(&passed);
    let clock: MonotonicClock = Arc::new(move || origin + *for_clock.lock().unwrap());
    let random = || 0.5;
    chain.prepare(&Parts::in_process(clock, random));
    let mut request = Request { chain, around: Vec::new() };
    let mut state = ExchangeState { variables, ..ExchangeState::default() };
    let mut exchange = Exchange::new(head, &mut state);
    request.enter(0, &mut exchange)?;
    for (at, attempt) in attempts.iter().enumerate() {
        let (how, what) = attempt.split_once(" -> ").unwrap();
        let how = match how.strip_prefix("after ").and_then(|rest| rest.split_once(' ')) {
            Some((time, how)) => {
                *passed.lock().unwrap() += DurationText::parse(time).unwrap().length;
                how
            }
            None => how,
        };
        let found = request.end(&End::read(how), &mut exchange)?;
        if found != what {
            return Err(format!("attempt {}: {found}, expected {what}", at + 1));
        }
        if let Some(wait) = found.strip_prefix("again ") {
            *passed.lock().unwrap() += DurationText::parse(wait).unwrap().length;
        }
    }
    Ok(())
}

/// How an attempt ends.
enum End {
    Answered(u16),
    Failed(Failure),
    Expired,
    Settled,
}

impl End {
    fn read(text: &str) -> Self {
        let why = || "why".to_owned();
        Self::Failed(match text {
            "expired" => return Self::Expired,
            "settled" => return Self::Settled,
            "refused" => Failure::UpstreamRefused(why()),
            "dns" => Failure::UpstreamDns(why()),
            "reset" => Failure::UpstreamReset(why()),
            "tls" => Failure::UpstreamTls(why()),
            "protocol" => Failure::UpstreamProtocol(why()),
            "connect-timeout" => Failure::ConnectTimeout(why()),
            "timeout" => Failure::UpstreamTimeout(why()),
            "no-instance" => Failure::NoInstance(why()),
            "open" => Failure::CircuitOpen("inner".into(), "OPEN"),
            "limit" => Failure::TimeLimit(1000),
            status => return Self::Answered(status.parse().unwrap()),
        })
    }

    fn outcome(&self) -> tollgate_filters::Outcome<'_> {
        match self {
            Self::Answered(status) => tollgate_filters::Outcome::Answered(*status),
            Self::Failed(failure) => tollgate_filters::Outcome::Failed(failure),
            Self::Expired => tollgate_filters::Outcome::Expired,
            Self::Settled => tollgate_filters::Outcome::Settled,
        }
    }
}

struct Request<'c> {
    chain: &'c Chain,
    /// Places in the chain and what stands around there.
    around: Vec<(usize, Box<dyn Around>)>,
}

impl Request<'_> {
    fn enter(&mut self, mut place: usize, exchange: &mut Exchange<'_>) -> Outcome {
        loop {
            match now(self.chain.on_request(&mut place, exchange)) {
                Ok(Flow::Around(call)) => self.around.push((place, call)),
                Ok(Flow::Continue) => return Ok(()),
                other => return Err(format!("{other:?}")),
            }
            place += 1;
        }
    }

    /// Ends an attempt and begins the next, if one follows.
    fn end(&mut self, end: &End, exchange: &mut Exchange<'_>) -> Result<String, String> {
        let mut failure = None;
        while let Some((place, call)) = self.around.last_mut() {
            let place = *place;
            let outcome = match &failure {
                Some(failure) => tollgate_filters::Outcome::Failed(failure),
                None => end.outcome(),
            };
            match call.ended(&outcome, exchange) {
                Verdict::Pass => drop(self.around.pop()),
                Verdict::Fail(other) => {
                    drop(self.around.pop());
                    failure = Some(other);
                }
                Verdict::Again { after } => {
                    self.enter(place + 1, exchange)?;
                    return Ok(if after.is_zero() {
                        "again".to_owned()
                    } else {
                        format!("again {}ms", after.as_millis())
                    });
                }
                Verdict::Forward { path, .. } => return Ok(format!("forward {path}")),
                Verdict::Complete => {
                    drop(self.around.pop());
                    return Ok("complete".to_owned());
                }
            }
        }
        Ok(failure.map_or_else(|| "pass".to_owned(), |failure| format!("fail {}", failure.code())))
    }
}
