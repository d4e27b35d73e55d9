//! When a request has another try (`resilience.md` 4).

mod attempts;
mod backoff;

use std::fmt;
use std::time::Duration;

use http::Method;

pub use backoff::Backoff;

use crate::exception::{self, Class};
use crate::{Failure, status_name};

pub(crate) use attempts::{Attempts, Rules};

/// What `Retry` goes by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    /// How many attempts may follow the first.
    pub(crate) retries: u32,
    /// Hundreds of the statuses that have another try.
    pub(crate) series: Vec<Series>,
    /// Statuses that have another try.
    pub(crate) statuses: Vec<u16>,
    /// Methods that have another try.
    pub(crate) methods: Vec<Method>,
    /// Failures that have another try, themselves or as what directly caused one.
    pub(crate) exceptions: Vec<Class>,
    /// How long to wait before; `None` does not wait.
    pub(crate) backoff: Option<Backoff>,
    /// After how long no other attempt begins.
    pub(crate) timeout: Option<Duration>,
    /// How long one attempt may take until its answer's head is there.
    pub(crate) attempt_timeout: Option<Duration>,
}

/// A hundred of statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Series {
    /// 100 to 199.
    Informational,
    /// 200 to 299.
    Successful,
    /// 300 to 399.
    Redirection,
    /// 400 to 499.
    ClientError,
    /// 500 to 599.
    ServerError,
}

impl Series {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::Informational,
        Self::Successful,
        Self::Redirection,
        Self::ClientError,
        Self::ServerError,
    ];

    /// Its name in a route file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Informational => "INFORMATIONAL",
            Self::Successful => "SUCCESSFUL",
            Self::Redirection => "REDIRECTION",
            Self::ClientError => "CLIENT_ERROR",
            Self::ServerError => "SERVER_ERROR",
        }
    }

    const fn hundred(self) -> u16 {
        match self {
            Self::Informational => 1,
            Self::Successful => 2,
            Self::Redirection => 3,
            Self::ClientError => 4,
            Self::ServerError => 5,
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Policy {
    /// Whether an answer with this status has another try. Codes without a name are in no series.
    fn takes_status(&self, status: u16) -> bool {
        let in_series = |series: &Series| series.hundred() == status / 100;
        self.statuses.contains(&status)
            || (self.series.iter().any(in_series) && status_name(status).is_some())
    }

    /// Whether a failure has another try.
    fn takes_failure(&self, failure: &Failure) -> bool {
        self.exceptions.iter().any(|class| exception::is_instance_or_cause(failure, *class))
    }
}
