//! What becomes of a reservation: the table T01–T33 as one pure function.
//!
//! [`decide`] takes what is known and what happened and tells the new state and what is written with
//! it in one transaction. Its caller brings everything that depends on time, ids, keys and leases as
//! plain facts, and carries out what was written: the steps at the CMS, the commands to payment.
//!
//! A pair that stands in no row changes nothing; [`Verdict`] tells whether it is a duplicate, a
//! contradiction, or only noted.

mod client;
mod create;
mod result;
mod row;
mod status;
mod step;

pub use self::client::{Approval, Cancellable, ReasonNot, cancellable};
pub use self::row::Row;
pub use self::status::{CmsStatus, RefundStatus, Status};

/// What is known of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reservation {
    /// Its state.
    pub status: Status,
    /// What became of money that has to be returned.
    pub refund: RefundStatus,
    /// Whether a charge is known (`chargedAt`).
    pub is_charged: bool,
    /// Whether a cancellation was accepted (`cancelRequestedAt`).
    pub is_cancel_requested: bool,
    /// Whether the CMS has given the nights back after `release_room`.
    pub is_released: bool,
    /// What is known of the booking at the CMS.
    pub cms: CmsStatus,
    /// Why it came, or is coming, to nothing.
    pub failure: Option<Failure>,
}

/// Why a reservation came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The CMS refused the hold, by a code of its own.
    HoldRefused,
    /// `PAYMENT_CREATE_FAILED`
    PaymentCreateFailed,
    /// `CREATE_TIMEOUT`
    CreateTimeout,
    /// No money was taken, by a code of payment's.
    PaymentRejected,
    /// `CMS_APPROVE_FAILED`
    CmsApproveFailed,
    /// `OPERATOR`
    Operator,
    /// `PAYMENT_CANCELLED_ELSEWHERE`
    PaymentCancelledElsewhere,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The nights are held and the payment is made.
    Created {
        /// Whether the hold is over by now.
        is_hold_over: bool,
    },
    /// The CMS does not hold the nights, definitely.
    HoldRefused,
    /// Payment does not take the order, or is not there.
    PaymentNotCreated,
    /// The create took too long, and nobody works on it.
    CreateTimedOut,
    /// The booker has authenticated the payment.
    Approve(Approval),
    /// The hold ran out, or the CMS says so.
    HoldRanOut,
    /// The booker cancels.
    Cancel {
        /// Whether a confirmed stay may still be cancelled.
        is_in_window: bool,
    },
    /// Payment has taken the money.
    Approved {
        /// Whether payment and amount are the reservation's.
        is_ours: bool,
    },
    /// Payment has not taken it and will not.
    Rejected {
        /// Whether its key is the reservation's.
        is_our_key: bool,
    },
    /// Payment does not know yet.
    Pending,
    /// Payment has returned money.
    Returned {
        /// Whether that was the reservation's last refund command.
        is_ours: bool,
        /// Whether nothing of the payment is left.
        is_all: bool,
    },
    /// Payment had nothing to return.
    NothingToRefund {
        /// Whether that was the reservation's last refund command.
        is_ours: bool,
    },
    /// Payment cannot return the money now, and goes on trying.
    RefundRejected {
        /// Whether that was the reservation's last refund command.
        is_ours: bool,
    },
    /// Payment does not know yet what became of a refund.
    RefundPending,
    /// Payment was asked because a result is missing (T14) or a refund is open (T27).
    Seen(Seen),
    /// The CMS has carried out a step.
    StepDone {
        /// Which.
        step: Step,
        /// Whether the refund policy returns anything at all.
        is_refundable: bool,
    },
    /// The CMS refuses to fix the booking, or has not by the deadline.
    BookingImpossible,
    /// A step at the CMS is about to be taken.
    StepBegins,
    /// An operator gives the booking up.
    Compensate,
    /// An operator settled a refund that payment knows nothing of.
    SettledByHand,
}

/// What payment answers to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    /// Nothing.
    NoAnswer,
    /// The order has no payment.
    NotFound,
    /// It is not finished.
    Open,
    /// The money is taken; perhaps a part was returned.
    Charged {
        /// Whether payment and amount are the reservation's.
        is_ours: bool,
    },
    /// It was not taken.
    Refused,
    /// It was taken and returned.
    Returned,
}

/// An external call of the saga (4.9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The CMS books what it holds.
    CmsApprove,
    /// It notes that the booking is paid.
    CmsPaymentComplete,
    /// It gives the nights back; whether it said that the hold had run out.
    ReleaseRoom {
        /// The nights were free before.
        had_expired: bool,
    },
}

/// What is to be done about an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decision {
    /// The rows that apply, the last one first named; none by the default rule.
    pub rows: Vec<Row>,
    /// The state from now on.
    pub reservation: Reservation,
    /// What is written in the same transaction.
    pub effects: Vec<Effect>,
    /// How the event is to be taken.
    pub verdict: Verdict,
}

/// How an event is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A row applies.
    Applies,
    /// It is recorded and changes nothing.
    Noted,
    /// It is known already.
    Duplicate,
    /// It cannot be true together with what is known.
    Contradiction,
    /// The booker cannot have it.
    Refused(Refusal),
}

impl Verdict {
    /// Why not, if the booker cannot have it.
    pub fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Applies | Self::Noted | Self::Duplicate | Self::Contradiction => None,
        }
    }
}

/// Why the booker cannot have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// `AMOUNT_MISMATCH`
    AmountMismatch,
    /// `PAYMENT_MISMATCH`
    PaymentMismatch,
    /// `APPROVAL_IN_PROGRESS`
    ApprovalInProgress,
    /// `HOLD_EXPIRED`
    HoldExpired,
    /// `INVALID_STATE`
    InvalidState,
    /// `RESERVATION_IN_PROGRESS`
    ReservationInProgress,
    /// `NOT_CANCELLABLE`
    NotCancellable,
    /// `CANCEL_WINDOW_CLOSED`
    CancelWindowClosed,
}

/// What is written together with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// The steps `cms_approve` and `cms_payment_complete` are opened.
    OpenBookingSteps,
    /// `release_room` is opened, and the steps that are open are closed (4.9.3).
    Release,
    /// A new refund command.
    Refund(RefundReason),
    /// The last refund command once more.
    RepeatRefund,
    /// The confirm command.
    RequestConfirm,
    /// The key that the result names becomes the reservation's.
    AdoptKey,
    /// The result is kept until the create is over (T30).
    KeepResult,
    /// Whoever carries out steps looks at once.
    Wake,
    /// The `Idempotency-Key` of the create is free again (5.1).
    FreeKey,
    /// An event for others.
    Publish(Announcement),
    /// An operator has to know.
    Alert(Alert),
}

/// Why money is to be returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RefundReason {
    /// `CUSTOMER`
    Customer,
    /// `CMS_APPROVE_FAILED`
    CmsApproveFailed,
    /// `LATE_APPROVAL`
    LateApproval,
    /// `OPERATOR`
    Operator,
}

/// An event on `RESERVATION-EVENT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Announcement {
    /// `ReservationRequested`
    Requested,
    /// `ReservationCreated`
    Created,
    /// `ReservationApproved`
    Approved,
    /// `ReservationConfirmed`
    Confirmed,
    /// `ReservationCancellationRequested`
    CancellationRequested,
    /// `ReservationCancelled`
    Cancelled,
    /// `ReservationFailed`
    Failed,
    /// `ReservationExpired`
    Expired,
}

/// Why an operator has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alert {
    /// Payment knows nothing of the order (T14, T27).
    PaymentUnknown,
    /// A result names another payment or amount.
    ResultMismatch,
    /// What payment says cannot be.
    Contradiction,
    /// Payment cannot return the money (T21).
    RefundFailed,
    /// The money was returned by somebody else (T28).
    CancelledElsewhere,
}

/// T01: a reservation that was asked for.
pub fn request() -> Decision {
    let reservation = Reservation {
        status: Status::Requested,
        refund: RefundStatus::None,
        is_charged: false,
        is_cancel_requested: false,
        is_released: false,
        cms: CmsStatus::None,
        failure: None,
    };
    Decision::unchanged(&reservation).row(Row::T01).publish(Announcement::Requested)
}

/// What becomes of a reservation when something happens.
pub fn decide(reservation: &Reservation, event: Event) -> Decision {
    let unchanged = Decision::unchanged(reservation);
    match event {
        Event::Created { is_hold_over } => unchanged.created(is_hold_over),
        Event::HoldRefused => unchanged.not_created(Row::T03, Failure::HoldRefused),
        Event::PaymentNotCreated => unchanged.not_created(Row::T04, Failure::PaymentCreateFailed),
        Event::CreateTimedOut => unchanged.not_created(Row::T05, Failure::CreateTimeout),
        Event::HoldRanOut => unchanged.run_out(),
        Event::Approve(approval) => unchanged.approve(approval),
        Event::Cancel { is_in_window } => unchanged.cancel(is_in_window),
        Event::Approved { .. }
        | Event::Rejected { .. }
        | Event::Pending
        | Event::Returned { .. }
        | Event::NothingToRefund { .. }
        | Event::RefundRejected { .. }
        | Event::RefundPending
            if reservation.status == Status::Requested =>
        {
            unchanged.row(Row::T30).effect(Effect::KeepResult)
        }
        Event::Approved { is_ours } => unchanged.approved(is_ours),
        Event::Rejected { is_our_key } => unchanged.rejected(is_our_key),
        Event::Pending => unchanged.pending(),
        Event::Returned { is_ours, is_all } => unchanged.returned(is_ours, is_all),
        Event::NothingToRefund { is_ours } => unchanged.nothing_to_refund(is_ours),
        Event::RefundRejected { is_ours } => unchanged.refund_rejected(is_ours),
        Event::RefundPending => unchanged.noted(),
        Event::Seen(seen) => unchanged.seen(seen),
        Event::StepDone { step, is_refundable } => unchanged.step_done(step, is_refundable),
        Event::BookingImpossible => unchanged.give_up(Row::T16),
        Event::StepBegins => unchanged.step_begins(),
        Event::Compensate => unchanged.give_up(Row::T31),
        Event::SettledByHand => unchanged.settled(),
    }
}

impl Decision {
    fn unchanged(reservation: &Reservation) -> Self {
        let reservation = reservation.clone();
        Self { rows: Vec::new(), reservation, effects: Vec::new(), verdict: Verdict::Noted }
    }

    /// Whether the reservation goes into another state.
    pub fn enters(&self, before: &Reservation) -> Option<Status> {
        (self.reservation.status != before.status).then_some(self.reservation.status)
    }

    fn row(mut self, row: Row) -> Self {
        self.rows.push(row);
        self.verdict = Verdict::Applies;
        self
    }

    fn to(mut self, status: Status) -> Self {
        self.reservation.status = status;
        self
    }

    fn effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    fn publish(self, announcement: Announcement) -> Self {
        self.effect(Effect::Publish(announcement))
    }

    fn alert(self, alert: Alert) -> Self {
        self.effect(Effect::Alert(alert))
    }

    fn release(mut self) -> Self {
        self.reservation.is_released = false;
        self.effect(Effect::Release)
    }

    fn refund(mut self, reason: RefundReason) -> Self {
        self.reservation.refund = RefundStatus::Requested;
        self.effect(Effect::Refund(reason))
    }

    fn charged(mut self) -> Self {
        self.reservation.is_charged = true;
        self
    }

    fn refund_is(mut self, refund: RefundStatus) -> Self {
        self.reservation.refund = refund;
        self
    }

    fn flag(mut self) -> Self {
        self.reservation.is_cancel_requested = true;
        self
    }

    /// `FAILED`, or `CANCELLED` where that was accepted before.
    fn fail(mut self, failure: Failure) -> Self {
        if self.reservation.is_cancel_requested {
            self.reservation.failure = None;
            return self.to(Status::Cancelled).publish(Announcement::Cancelled);
        }
        self.reservation.failure = Some(failure);
        self.to(Status::Failed).publish(Announcement::Failed)
    }

    fn noted(self) -> Self {
        self
    }

    fn duplicate(self) -> Self {
        Self { verdict: Verdict::Duplicate, ..self }
    }

    fn contradiction(self) -> Self {
        let verdict = Verdict::Contradiction;
        Self { verdict, ..self.alert(Alert::Contradiction) }
    }

    fn refuse(self, refusal: Refusal) -> Self {
        Self { verdict: Verdict::Refused(refusal), ..self }
    }
}

#[cfg(test)]
mod tests;
