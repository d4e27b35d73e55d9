//! The states of a payment, named as the payment gateway names them.

use serde::Serialize;
use service::code::Code;
use utoipa::ToSchema;

/// State of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    /// The client has to authenticate.
    Ready,
    /// The client has authenticated and the money is being taken.
    InProgress,
    /// A virtual account waits for money.
    WaitingForDeposit,
    /// The money was taken.
    Done,
    /// All of it was returned.
    Canceled,
    /// A part of it was returned.
    PartialCanceled,
    /// It was refused.
    Aborted,
    /// The client did not pay in time.
    Expired,
}

impl Code for Status {
    const ALL: &'static [Self] = &[
        Self::Ready,
        Self::InProgress,
        Self::WaitingForDeposit,
        Self::Done,
        Self::Canceled,
        Self::PartialCanceled,
        Self::Aborted,
        Self::Expired,
    ];

    fn code(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::InProgress => "IN_PROGRESS",
            Self::WaitingForDeposit => "WAITING_FOR_DEPOSIT",
            Self::Done => "DONE",
            Self::Canceled => "CANCELED",
            Self::PartialCanceled => "PARTIAL_CANCELED",
            Self::Aborted => "ABORTED",
            Self::Expired => "EXPIRED",
        }
    }
}

#[cfg(test)]
mod tests {
    use service::testing::check_codes;

    use super::*;

    #[test]
    fn stored_codes_are_those_of_the_api() {
        check_codes::<Status>();
    }
}
