//! What stands around the rest of a chain and hears how that ended: a retry, a circuit breaker.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use crate::{Exchange, Failure};

/// One request's passage through a filter that stands around the rest of its chain.
///
/// A filter hands it over with [`crate::Flow::Around`]. The caller keeps it until what is behind the
/// filter has ended and asks it then; those further in are asked first. One that is dropped without
/// having been asked saw its request go: the client left, or something further out gave up.
pub trait Around: Debug + Send + Sync {
    /// What becomes of the request, now that what is behind the filter has ended.
    ///
    /// Asked again after [`Verdict::Again`] and [`Verdict::Forward`], when what these led to has
    /// ended.
    fn ended(&mut self, outcome: &Outcome<'_>, exchange: &mut Exchange<'_>) -> Verdict;

    /// Whether a verdict may lead back to the request as it came here. If not, it need not be kept.
    fn may_go_back(&self) -> bool {
        true
    }

    /// When the head of an answer must be there at the latest; [`Outcome::Expired`] if it is not.
    fn deadline(&self) -> Option<Instant> {
        None
    }
}

/// How that which is behind a filter has ended.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// An upstream's head is there, the filters behind this one have run over it, and this is its
    /// status now. Nothing of it was sent to the client yet.
    Answered(u16),
    /// There is no answer.
    Failed(&'a Failure),
    /// [`Around::deadline`] has passed. What was going on is given up.
    Expired,
    /// A filter behind this one answered, or refused, or the request was forwarded and that ended
    /// well. It stays so, whatever the verdict.
    Settled,
}

/// What becomes of a request whose inner part has ended.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// It stays as it is; what stands further out is asked next.
    Pass,
    /// The filters behind this one and the upstream have another try, from the request as it came
    /// here. If that cannot be, it stays as it is.
    Again {
        /// How long to wait before.
        after: Duration,
    },
    /// The request as it came here goes through the route table again under another path, as
    /// `forward:` does it. Why is left in [`crate::ExchangeState::cause`].
    Forward {
        /// The path; the query stays.
        path: String,
        /// What to tell those that look for the cause.
        cause: Failure,
    },
    /// It failed, for this reason.
    Fail(Failure),
    /// The failure is not one: it goes on as if an upstream had answered 200 without a body.
    Complete,
}
