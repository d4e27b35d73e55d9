//! The states of a payment, named as the payment gateway names them.

use serde::{Deserialize, Serialize};
use service::code::Code;
use utoipa::ToSchema;

/// State of a payment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// The client has to authenticate.
    Ready,
    /// The client has authenticated and the money is being taken.
    InProgress,
    /// A virtual account waits for money; never entered, because none is offered.
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

/// State of a refund.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// Written down; the money is on its way, or waits for its turn.
    Requested,
    /// The payment gateway refused it; it is tried again.
    Refused,
    /// The money was returned.
    Done,
    /// There was nothing to return.
    Nothing,
}

impl Code for RefundStatus {
    const ALL: &'static [Self] = &[Self::Requested, Self::Refused, Self::Done, Self::Nothing];

    fn code(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Refused => "REFUSED",
            Self::Done => "DONE",
            Self::Nothing => "NOTHING",
        }
    }
}

/// Who wanted money to be returned.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Origin {
    /// A command of the reservation.
    Command,
    /// Somebody at the payment gateway.
    Outside,
}

impl Code for Origin {
    const ALL: &'static [Self] = &[Self::Command, Self::Outside];

    fn code(self) -> &'static str {
        match self {
            Self::Command => "COMMAND",
            Self::Outside => "OUTSIDE",
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
        check_codes::<RefundStatus>();
        check_codes::<Origin>();
    }
}
