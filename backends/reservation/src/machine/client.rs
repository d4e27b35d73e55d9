//! What the booker asks for: T06, T08, T13, T17, T18, and the cancellable check (P08).

use super::{Announcement, Decision, Effect, Refusal, Reservation, Row, Status};

/// A payment that the booker says is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four facts that have nothing to do with each other"
)]
pub struct Approval {
    /// Whether the payment is the reservation's.
    pub is_our_payment: bool,
    /// Whether the amount is the reservation's.
    pub is_our_amount: bool,
    /// Whether an earlier approve, or a result, named the same key.
    pub is_known_key: bool,
    /// Whether `min_hold_left` is left of the hold.
    pub is_hold_long: bool,
}

/// Whether a reservation can be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cancellable {
    /// At once, without anything to return.
    Free,
    /// It is accepted now and done when what is running has ended.
    Deferred,
    /// With its money.
    Refunded,
    /// A cancellation was accepted before.
    Already,
    /// It cannot.
    No(ReasonNot),
}

/// Why a reservation cannot be cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReasonNot {
    /// It is still being made.
    InProgress,
    /// The day of check-in has begun.
    WindowClosed,
    /// It is over, or being undone.
    Over,
}

/// The cancellable check; `is_in_window` tells that a confirmed stay may still be cancelled.
pub fn cancellable(reservation: &Reservation, is_in_window: bool) -> Cancellable {
    if reservation.is_cancel_requested {
        return Cancellable::Already;
    }
    match reservation.status {
        Status::Requested => Cancellable::No(ReasonNot::InProgress),
        Status::PendingPayment => Cancellable::Free,
        Status::Approving | Status::Confirming => Cancellable::Deferred,
        Status::Confirmed if is_in_window => Cancellable::Refunded,
        Status::Confirmed => Cancellable::No(ReasonNot::WindowClosed),
        Status::Cancelling | Status::Cancelled => Cancellable::Already,
        Status::Compensating | Status::Failed | Status::Expired => Cancellable::No(ReasonNot::Over),
    }
}

impl Decision {
    pub(super) fn approve(self, approval: Approval) -> Self {
        if !approval.is_our_payment {
            return self.refuse(Refusal::PaymentMismatch);
        }
        if !approval.is_our_amount {
            return self.refuse(Refusal::AmountMismatch);
        }
        let is_past =
            !matches!(self.reservation.status, Status::Requested | Status::PendingPayment);
        if is_past && approval.is_known_key {
            return self.duplicate();
        }
        match self.reservation.status {
            Status::PendingPayment if approval.is_hold_long => self
                .row(Row::T06)
                .to(Status::Approving)
                .effect(Effect::RequestConfirm)
                .publish(Announcement::Approved),
            Status::PendingPayment | Status::Expired => self.refuse(Refusal::HoldExpired),
            Status::Approving | Status::Confirming => self.refuse(Refusal::ApprovalInProgress),
            Status::Requested
            | Status::Confirmed
            | Status::Cancelling
            | Status::Cancelled
            | Status::Compensating
            | Status::Failed => self.refuse(Refusal::InvalidState),
        }
    }

    pub(super) fn cancel(self, is_in_window: bool) -> Self {
        match cancellable(&self.reservation, is_in_window) {
            Cancellable::Already => self.duplicate(),
            Cancellable::No(ReasonNot::InProgress) => self.refuse(Refusal::ReservationInProgress),
            Cancellable::No(ReasonNot::WindowClosed) => self.refuse(Refusal::CancelWindowClosed),
            Cancellable::No(ReasonNot::Over) => self.refuse(Refusal::NotCancellable),
            Cancellable::Free => self.accept(Row::T08).to(Status::Cancelling).release(),
            Cancellable::Refunded => self.accept(Row::T18).to(Status::Cancelling).release(),
            Cancellable::Deferred if self.reservation.status == Status::Approving => {
                self.accept(Row::T13)
            }
            Cancellable::Deferred => self.accept(Row::T17).effect(Effect::Wake),
        }
    }

    fn accept(self, row: Row) -> Self {
        self.row(row).flag().publish(Announcement::CancellationRequested)
    }
}
