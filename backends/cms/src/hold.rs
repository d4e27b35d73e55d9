//! What becomes of a hold: one pure function.
//!
//! A hold is a claim on the nights of a room for a limited time. It becomes a booking when it is
//! approved, and is paid for later. Every call may be repeated.

use serde::Serialize;
use service::code::Code;
use utoipa::ToSchema;

/// State of a reservation at the CMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = ReservationStatus)]
pub enum Status {
    /// The nights are held until a deadline.
    Held,
    /// They are booked.
    Approved,
    /// They are booked, and the customer has paid.
    Paid,
    /// They are free again. Also the tombstone of a reservation that was cancelled before it came.
    Cancelled,
    /// They are free again because the deadline passed.
    Expired,
}

/// What somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// To hold nights.
    Reserve {
        /// Whether it asks for the same as the reservation of that id.
        is_same: bool,
    },
    /// To book what is held.
    Approve,
    /// To note that it is paid.
    Complete {
        /// Whether the amount is the reservation's.
        is_amount: bool,
    },
    /// To let the nights go.
    Cancel,
    /// The deadline of the hold passed.
    Deadline,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The reservation goes into this state.
    Becomes(Status),
    /// It stays as it is, and the call went well.
    Stays,
    /// It stays as it is, and the call is refused.
    Refused(Refusal),
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// There is no such reservation.
    Unknown,
    /// The id belongs to another reservation.
    ExternalIdConflict,
    /// The deadline passed.
    HoldExpired,
    /// It was cancelled.
    ReservationCancelled,
    /// It was not approved.
    NotApproved,
    /// The amount is not the reservation's.
    AmountMismatch,
}

/// What becomes of the nights of a reservation that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nights {
    /// They are claimed.
    Hold,
    /// The claim becomes a booking.
    Book,
    /// They are free again.
    Free,
    /// They stay as they are.
    Keep,
}

/// What becomes of a reservation, or of the absence of one.
pub fn decide(known: Option<Status>, call: Call) -> Outcome {
    let Some(status) = known else {
        return match call {
            Call::Reserve { .. } => Outcome::Becomes(Status::Held),
            // A later reserve of that id comes too late.
            Call::Cancel => Outcome::Becomes(Status::Cancelled),
            Call::Approve | Call::Complete { .. } => Outcome::Refused(Refusal::Unknown),
            Call::Deadline => Outcome::Stays,
        };
    };
    match call {
        Call::Reserve { is_same } => reserve_again(status, is_same),
        Call::Approve => match status {
            Status::Held => Outcome::Becomes(Status::Approved),
            Status::Approved | Status::Paid => Outcome::Stays,
            Status::Cancelled => Outcome::Refused(Refusal::ReservationCancelled),
            Status::Expired => Outcome::Refused(Refusal::HoldExpired),
        },
        Call::Complete { is_amount } => match status {
            Status::Approved | Status::Paid if !is_amount => {
                Outcome::Refused(Refusal::AmountMismatch)
            }
            Status::Approved => Outcome::Becomes(Status::Paid),
            Status::Paid => Outcome::Stays,
            Status::Held | Status::Cancelled | Status::Expired => {
                Outcome::Refused(Refusal::NotApproved)
            }
        },
        Call::Cancel => match status {
            Status::Held | Status::Approved | Status::Paid => Outcome::Becomes(Status::Cancelled),
            Status::Cancelled | Status::Expired => Outcome::Stays,
        },
        Call::Deadline if status == Status::Held => Outcome::Becomes(Status::Expired),
        Call::Deadline => Outcome::Stays,
    }
}

fn reserve_again(status: Status, is_same: bool) -> Outcome {
    match status {
        // A tombstone has no content to compare with.
        Status::Cancelled => Outcome::Refused(Refusal::ReservationCancelled),
        Status::Expired => Outcome::Refused(Refusal::HoldExpired),
        Status::Held | Status::Approved | Status::Paid if is_same => Outcome::Stays,
        Status::Held | Status::Approved | Status::Paid => {
            Outcome::Refused(Refusal::ExternalIdConflict)
        }
    }
}

/// What becomes of the nights when a reservation goes from one state into another.
pub fn nights(from: Option<Status>, to: Status) -> Nights {
    match (from, to) {
        (None, Status::Held) => Nights::Hold,
        (Some(Status::Held), Status::Approved) => Nights::Book,
        (
            Some(Status::Held | Status::Approved | Status::Paid),
            Status::Cancelled | Status::Expired,
        ) => Nights::Free,
        _ => Nights::Keep,
    }
}

impl Refusal {
    /// The code it is told by.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unknown => "RESERVATION_NOT_FOUND",
            Self::ExternalIdConflict => "EXTERNAL_ID_CONFLICT",
            Self::HoldExpired => "HOLD_EXPIRED",
            Self::ReservationCancelled => "RESERVATION_CANCELLED",
            Self::NotApproved => "NOT_APPROVED",
            Self::AmountMismatch => "AMOUNT_MISMATCH",
        }
    }
}

impl Code for Status {
    const ALL: &'static [Self] =
        &[Self::Held, Self::Approved, Self::Paid, Self::Cancelled, Self::Expired];

    fn code(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Approved => "APPROVED",
            Self::Paid => "PAID",
            Self::Cancelled => "CANCELLED",
            Self::Expired => "EXPIRED",
        }
    }
}

#[cfg(test)]
mod tests;
