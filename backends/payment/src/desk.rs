//! What the endpoints for other services share.

use service::app::Shared;
use service::problem::Problem;

use crate::cashier::{Cashier, Failure};

/// Whoever serves other services and operators; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) shared: Shared,
    pub(crate) cashier: Cashier,
}

impl Failure {
    /// What a caller is told.
    pub(crate) fn into_problem(self) -> Problem {
        match self {
            Self::Store(error) => error.into(),
            Self::Unknown => Problem::not_found("NOT_FOUND_PAYMENT", "there is no such payment"),
            Self::Raced | Self::Leased | Self::Taken => Problem::concurrent(),
            Self::Paused | Self::Unwritable(_) => Problem::internal(self),
        }
    }
}
