//! The states that a reservation, its refund and its booking at the CMS go through.

use serde::Serialize;
use service::code::Code;
use utoipa::ToSchema;

/// State of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Accepted; the room is being held and the payment made.
    Requested,
    /// The nights are held, the customer has to pay.
    PendingPayment,
    /// The customer has paid; the money is being taken.
    Approving,
    /// The money is taken; the booking is being fixed.
    Confirming,
    /// Booked and paid.
    Confirmed,
    /// The room is being given back.
    Cancelling,
    /// The room was given back.
    Cancelled,
    /// The booking is impossible; room and money are being given back.
    Compensating,
    /// Ended by the system.
    Failed,
    /// The customer did not pay in time.
    Expired,
}

/// What is known of the booking at the CMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CmsStatus {
    /// It was never asked for.
    None,
    /// It was asked for, and the answer was lost.
    Unknown,
    /// The nights are held.
    Held,
    /// They are booked.
    Approved,
    /// They are booked and paid.
    Paid,
    /// They were given back.
    Cancelled,
    /// The hold ran out.
    Expired,
}

/// What became of money that has to be returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundStatus {
    /// Nothing has to be returned.
    None,
    /// Under way.
    Requested,
    /// Returned.
    Done,
    /// Nothing had been taken.
    Nothing,
    /// Refused so far; it is tried again.
    Failed,
}

impl Status {
    /// Whether nothing but a refund can still happen to it.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Cancelled | Self::Failed | Self::Expired)
    }

    /// Whether room or money is still on its way. A confirmed reservation has arrived, although it
    /// can be cancelled.
    pub fn is_open(self) -> bool {
        match self {
            Self::Requested
            | Self::PendingPayment
            | Self::Approving
            | Self::Confirming
            | Self::Cancelling
            | Self::Compensating => true,
            Self::Confirmed | Self::Cancelled | Self::Failed | Self::Expired => false,
        }
    }
}

impl Code for Status {
    const ALL: &'static [Self] = &[
        Self::Requested,
        Self::PendingPayment,
        Self::Approving,
        Self::Confirming,
        Self::Confirmed,
        Self::Cancelling,
        Self::Cancelled,
        Self::Compensating,
        Self::Failed,
        Self::Expired,
    ];

    fn code(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::PendingPayment => "PENDING_PAYMENT",
            Self::Approving => "APPROVING",
            Self::Confirming => "CONFIRMING",
            Self::Confirmed => "CONFIRMED",
            Self::Cancelling => "CANCELLING",
            Self::Cancelled => "CANCELLED",
            Self::Compensating => "COMPENSATING",
            Self::Failed => "FAILED",
            Self::Expired => "EXPIRED",
        }
    }
}

impl Code for CmsStatus {
    const ALL: &'static [Self] = &[
        Self::None,
        Self::Unknown,
        Self::Held,
        Self::Approved,
        Self::Paid,
        Self::Cancelled,
        Self::Expired,
    ];

    fn code(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Unknown => "UNKNOWN",
            Self::Held => "HELD",
            Self::Approved => "APPROVED",
            Self::Paid => "PAID",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
        }
    }
}

impl Code for RefundStatus {
    const ALL: &'static [Self] =
        &[Self::None, Self::Requested, Self::Done, Self::Nothing, Self::Failed];

    fn code(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Requested => "REQUESTED",
            Self::Done => "DONE",
            Self::Nothing => "NOTHING",
            Self::Failed => "FAILED",
        }
    }
}

#[cfg(test)]
mod tests {
    use service::testing::check_codes;

    use super::*;

    #[test]
    fn codes_are_those_of_the_api() {
        check_codes::<Status>();
        check_codes::<CmsStatus>();
        check_codes::<RefundStatus>();
    }
}
