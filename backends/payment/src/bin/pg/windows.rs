//! How long a client may take, and how long the merchant after it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use payment::pg::PgStatus;

/// The times of the payment gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Windows {
    /// For the client to authenticate in, `pg_window`.
    pub(crate) open: Duration,
    /// For the merchant to confirm in after that, `pg_session`.
    pub(crate) session: Duration,
}

impl Windows {
    /// Whether time ran out for a payment that has been in a state since `began`.
    pub(crate) fn is_over(self, status: PgStatus, began: Timestamp, now: Timestamp) -> bool {
        let limit = if status == PgStatus::Ready { self.open } else { self.session };
        // A time no clock reaches is never over.
        SignedDuration::try_from(limit).is_ok_and(|limit| now.duration_since(began) > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_out_by_what_was_done_last() {
        let windows = Windows { open: Duration::from_mins(30), session: Duration::from_mins(10) };
        let began: Timestamp = "2025-05-01T00:00:00Z".parse().unwrap();
        for (status, minutes, is_over) in [
            (PgStatus::Ready, 30, false),
            (PgStatus::Ready, 31, true),
            (PgStatus::InProgress, 10, false),
            (PgStatus::InProgress, 11, true),
        ] {
            let now = began + SignedDuration::from_mins(minutes);
            assert_eq!(windows.is_over(status, began, now), is_over, "{status:?} {minutes}");
        }
    }
}
