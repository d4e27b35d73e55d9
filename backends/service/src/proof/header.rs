//! The headers that carry a proof.

use axum::http::HeaderMap;
use jiff::Timestamp;

use super::statement;
use crate::clock::Clock;
use crate::keys::{KeySet, Mismatch};

/// How far a proof's time may be from ours, either way.
const WINDOW_SECONDS: u64 = 60;

/// The part of a proof that both kinds share.
#[derive(Debug)]
pub(super) struct Seal {
    kid: String,
    /// When it was made, in seconds since 1970.
    pub(super) at: i64,
    signature: String,
}

/// Why a proof does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no proof was sent")]
    Missing,
    #[error("a header of the proof was sent twice or is not ASCII")]
    Repeated,
    #[error("the proof is not of the form v1;…")]
    Malformed,
    #[error("the proof is {0} s away from this machine's time; compare the clocks")]
    OutOfTime(u64),
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    #[error("the proof names a member that cannot be")]
    Identity,
    #[error("the proof names no member, and this endpoint needs one")]
    Nobody,
}

impl Seal {
    /// Reads `v1;kid=K;t=UNIX;sig=S`.
    pub(super) fn of_gateway(text: &str) -> Option<Self> {
        Self::read(text.strip_prefix("v1;")?)
    }

    /// Reads `v1;svc=NAME;kid=K;t=UNIX;sig=S`.
    pub(super) fn of_service(text: &str) -> Option<(&str, Self)> {
        let (name, rest) = text.strip_prefix("v1;svc=")?.split_once(';')?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_name = !name.is_empty() && name.bytes().all(is_plain);
        is_name.then_some(name).zip(Self::read(rest))
    }

    fn read(text: &str) -> Option<Self> {
        let mut fields = text.split(';');
        let kid = fields.next()?.strip_prefix("kid=")?;
        let time = fields.next()?.strip_prefix("t=")?;
        let signature = fields.next()?.strip_prefix("sig=")?;
        let at = time.parse().ok().filter(|at: &i64| at.to_string() == time)?;
        let is_whole = fields.next().is_none();
        is_whole.then(|| Self { kid: kid.to_owned(), at, signature: signature.to_owned() })
    }

    pub(super) fn check_time(&self, now: Timestamp) -> Result<(), Refusal> {
        let distance = now.as_second().abs_diff(self.at);
        if distance <= WINDOW_SECONDS { Ok(()) } else { Err(Refusal::OutOfTime(distance)) }
    }

    pub(super) fn check(&self, keys: &KeySet, text: &str) -> Result<(), Refusal> {
        Ok(keys.verify(&self.kid, text, &self.signature)?)
    }
}

/// The one value of a header.
pub(super) fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Repeated);
    }
    value.to_str().map(Some).map_err(|_| Refusal::Repeated)
}

/// The value of `X-Service-Auth` for a request that is sent now.
pub(crate) fn sign_service(
    keys: &KeySet,
    clock: &Clock,
    name: &str,
    (method, target, body): (&str, &str, &[u8]),
) -> String {
    let at = clock.now().as_second();
    let (kid, signature) = keys.sign(&statement::service(at, method, target, name, body));
    format!("v1;svc={name};kid={kid};t={at};sig={signature}")
}

/// The value of `X-Gateway-Auth` for a request that is sent now.
pub(crate) fn sign_gateway(
    keys: &KeySet,
    clock: &Clock,
    (method, target): (&str, &str),
    subject: statement::Subject<'_>,
) -> String {
    let at = clock.now().as_second();
    let (kid, signature) = keys.sign(&statement::gateway(at, method, target, subject));
    format!("v1;kid={kid};t={at};sig={signature}")
}
