//! What becomes of a payment and its refunds: the tables Y01–Y18 and RF1–RF12 as one pure function.
//!
//! [`decide`] takes what is known and what happened and tells the new state, what is to be
//! published with it in one transaction, and what has to be asked of the payment gateway next. Its
//! caller brings everything that depends on time, keys and leases as plain facts, keeps the order
//! of C2, and answers [`Next`] with a further [`Event`].
//!
//! A pair that stands in no table changes nothing; a command is always answered.

mod confirm;
mod refund;
mod row;
mod seen;
mod status;

use uuid::Uuid;

pub use self::row::Row;
pub use self::status::{Origin, RefundStatus, Status};

/// What is known of a payment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payment {
    /// Its state.
    pub status: Status,
    /// What is to be paid, in KRW.
    pub total: i64,
    /// What was not returned of it.
    pub balance: i64,
    /// Whether a confirm was sent of which nobody knows what became.
    pub in_doubt: bool,
    /// The last final result of a confirm.
    pub verdict: Option<Verdict>,
    /// Every request to return money, the oldest first.
    pub refunds: Vec<Refund>,
}

/// One request to return money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Refund {
    /// Its id, which is the command's or made up here.
    pub id: Uuid,
    /// Who wanted it.
    pub origin: Origin,
    /// How much.
    pub amount: i64,
    /// Its state.
    pub status: RefundStatus,
    /// Part of the key sent to the payment gateway; rises after a definite refusal only.
    pub n: u32,
    /// Whether the payment gateway may have been called for it.
    pub is_sent: bool,
    /// Whether its command was answered, be it by PENDING.
    pub is_answered: bool,
    /// Whether an operator settled it elsewhere.
    pub is_by_hand: bool,
}

/// The final result of a confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The money was taken.
    Approved,
    /// It was not.
    Rejected(Reason),
}

/// Why no money was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The command names another amount.
    AmountMismatch,
    /// The command came after `approveBy`.
    DeadlinePassed,
    /// A cancel command was faster.
    CancelledBeforeConfirm,
    /// The payment gateway's session ended without a charge.
    NotDone,
    /// The payment's time ran out.
    Expired,
    /// The money was taken and returned elsewhere.
    Cancelled,
    /// The command names another payment key.
    KeyMismatch,
    /// The payment gateway refused, by a code of its own.
    Refused,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// A command to take the money.
    Confirm {
        /// How its key compares.
        key: Key,
        /// What it wants to take.
        amount: i64,
        /// Whether `approveBy` is still to come.
        in_time: bool,
        /// Whether another one owns the payment at this moment.
        is_leased: bool,
    },
    /// What the payment gateway said to a confirm.
    ConfirmAnswered {
        /// Its answer.
        answer: ConfirmAnswer,
        /// Whether the same confirm was sent before without an answer.
        is_repeat: bool,
        /// Whether a command waits for it.
        for_command: bool,
    },
    /// What the payment gateway knows of the payment.
    Seen {
        /// Why it was asked.
        asked: Asked,
        /// What it knows.
        seen: Seen,
        /// Whether `approveBy` is still to come.
        in_time: bool,
        /// Whether it was asked later than the last attempt and `safe_abort_wait`.
        session_over: bool,
        /// The id of a refund from outside, should there be one.
        fresh: Uuid,
    },
    /// A command to return money.
    Cancel {
        /// Its id.
        refund: Uuid,
        /// How much.
        amount: i64,
        /// Whether another one owns the payment at this moment.
        is_leased: bool,
    },
    /// What the payment gateway said to a cancel.
    CancelAnswered {
        /// What it was called for.
        refund: Uuid,
        /// Its answer.
        answer: CancelAnswer,
        /// The id of a refund from outside, should there be one.
        fresh: Uuid,
    },
    /// A payment in progress is to be looked into.
    ReconcileDue,
    /// A refund is to be tried.
    RefundDue {
        /// Its id.
        refund: Uuid,
    },
    /// `expiresAt` passed.
    TimeRanOut,
    /// An operator returned the money elsewhere.
    Settled {
        /// Of which refund.
        refund: Uuid,
    },
}

/// How the key of a confirm command compares with what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The payment has none yet.
    First,
    /// It is the payment's.
    Same,
    /// The payment has another, or another payment has this one.
    Other,
}

/// What the payment gateway said to a confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfirmAnswer {
    /// The money was taken.
    Done,
    /// It is definitely not taken.
    Refused,
    /// A code that says only a query can tell.
    LookUp,
    /// Nobody knows.
    Unknown,
    /// The merchant's settings are wrong.
    Misconfigured,
}

/// What the payment gateway said to a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CancelAnswer {
    /// The money was returned.
    Returned {
        /// What was not returned of the payment.
        balance: i64,
    },
    /// It was refused, or only a query can tell.
    Refused,
    /// Nobody knows, or it may go well later.
    Unknown,
    /// The merchant's settings are wrong.
    Misconfigured,
}

/// Why the payment gateway was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asked {
    /// A confirm command was repeated (Y18).
    Command,
    /// The reconciler is at work (Y06).
    Timer,
    /// It announced something, or was not asked for long (Y14, Y17).
    Hint,
    /// A confirm's code said that only a query can tell.
    LookUp {
        /// Whether a command waits for it.
        for_command: bool,
    },
    /// A confirm was refused after one in doubt (Y04).
    Refusal {
        /// Whether a command waits for it.
        for_command: bool,
    },
    /// A refund is tried once more (RF6, RF8).
    Refund(Uuid),
    /// A cancel was refused (RF7, RF8).
    RefundRefusal(Uuid),
}

/// What the payment gateway knows of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seen {
    /// It did not say.
    NoAnswer,
    /// It is not finished, or not known there.
    Open,
    /// The money was taken.
    Done,
    /// A part of it was returned.
    PartlyReturned {
        /// What was not.
        balance: i64,
    },
    /// All of it was returned.
    Returned,
    /// It was refused.
    Aborted,
    /// Its time ran out.
    Expired,
}

/// What is to be done about an event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decision {
    /// The rows of the tables that apply; none by the default rule.
    pub rows: Vec<Row>,
    /// The state from now on.
    pub payment: Payment,
    /// What happens in the same transaction.
    pub effects: Vec<Effect>,
    /// What is to be asked of the payment gateway after it.
    pub next: Next,
}

/// What happens together with a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// A result of a confirm command.
    ConfirmResult(ConfirmResult),
    /// A result of a cancel command.
    CancelResult(Uuid, CancelResult),
    /// Something others may want to know.
    Publish(Announcement),
    /// The key of the command, or of the payment gateway, becomes the payment's.
    AdoptKey,
    /// An operator has to know.
    Alert(Alert),
}

/// A result of a confirm command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfirmResult {
    /// A final one.
    Final(Verdict),
    /// Not known yet; a final one follows.
    Pending,
}

/// A result of a cancel command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CancelResult {
    /// The money was returned.
    Cancelled,
    /// There was none.
    NothingToRefund,
    /// Definitely not now; it is tried again.
    Rejected,
    /// Not known yet; another result follows.
    Pending,
}

/// An event on `PAYMENT-EVENT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Announcement {
    /// `PaymentCreated`
    Created,
    /// `PaymentApproved`
    Approved,
    /// `PaymentRejected`
    Rejected,
    /// `PaymentCancelled`
    Cancelled,
    /// `PaymentExpired`
    Expired,
    /// `PaymentCancelFailed`
    CancelFailed,
}

/// Why an operator has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alert {
    /// Money was taken although nobody counted on it any more (Y14).
    LateApproval,
    /// All money was returned by somebody else (Y17).
    ReturnedOutside,
    /// A part of it was.
    PartlyReturnedOutside,
    /// The payment gateway refuses to return money (RF7).
    RefundRefused,
    /// The merchant's settings at the payment gateway are wrong (A.3).
    Misconfigured,
    /// What the payment gateway says cannot be.
    Contradiction,
}

/// What has to be asked of the payment gateway next, under the payment's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Next {
    /// Nothing.
    Rest,
    /// Take the money.
    Confirm,
    /// Tell what became of the payment.
    Query(Asked),
    /// Return money.
    Cancel(Uuid),
}

/// Y01: a payment that nobody has paid.
pub fn create(total: i64) -> Decision {
    let payment = Payment {
        status: Status::Ready,
        total,
        balance: total,
        in_doubt: false,
        verdict: None,
        refunds: Vec::new(),
    };
    let created = vec![Effect::Publish(Announcement::Created)];
    Decision { rows: vec![Row::Y01], payment, effects: created, next: Next::Rest }
}

/// What becomes of a payment when something happens.
pub fn decide(payment: &Payment, event: Event) -> Decision {
    let unchanged = Decision::unchanged(payment);
    match event {
        Event::Confirm { key, amount, in_time, is_leased } => {
            unchanged.confirm(key, amount, in_time, is_leased)
        }
        Event::ConfirmAnswered { answer, is_repeat, for_command } => {
            unchanged.confirm_answered(answer, is_repeat, for_command)
        }
        Event::Seen { asked, seen, in_time, session_over, fresh } => {
            unchanged.seen(asked, seen, (in_time, session_over), fresh)
        }
        Event::Cancel { refund, amount, is_leased } => unchanged.cancel(refund, amount, is_leased),
        Event::CancelAnswered { refund, answer, fresh } => {
            unchanged.cancel_answered(refund, answer, fresh)
        }
        Event::ReconcileDue => unchanged.reconcile(),
        Event::RefundDue { refund } => unchanged.refund_due(refund),
        Event::TimeRanOut => unchanged.run_out(),
        Event::Settled { refund } => unchanged.settle(refund),
    }
}

impl Payment {
    /// Whether money can be returned.
    pub fn is_charged(&self) -> bool {
        matches!(self.status, Status::Done | Status::PartialCanceled)
    }

    /// The refund whose turn it is: the one that was sent, else the oldest that waits.
    pub fn open_refund(&self) -> Option<&Refund> {
        let mut open = self.refunds.iter().filter(|refund| refund.is_open());
        open.clone().find(|refund| refund.is_sent).or_else(|| open.next())
    }

    /// One of its refunds.
    pub fn refund(&self, id: Uuid) -> Option<&Refund> {
        self.refunds.iter().find(|refund| refund.id == id)
    }
}

impl Refund {
    /// Whether the money is still to be returned.
    pub fn is_open(&self) -> bool {
        matches!(self.status, RefundStatus::Requested | RefundStatus::Refused)
    }
}

impl Decision {
    fn unchanged(payment: &Payment) -> Self {
        let payment = payment.clone();
        Self { rows: Vec::new(), payment, effects: Vec::new(), next: Next::Rest }
    }

    fn row(mut self, row: Row) -> Self {
        self.rows.push(row);
        self
    }

    fn effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }

    fn then(self, next: Next) -> Self {
        Self { next, ..self }
    }

    fn answer(self, result: ConfirmResult) -> Self {
        self.effect(Effect::ConfirmResult(result))
    }

    fn publish(self, announcement: Announcement) -> Self {
        self.effect(Effect::Publish(announcement))
    }

    fn alert(self, alert: Alert) -> Self {
        self.effect(Effect::Alert(alert))
    }

    /// Answers the command of a refund.
    fn tell(mut self, id: Uuid, result: CancelResult) -> Self {
        self.change(id, |refund| refund.is_answered = true);
        self.effect(Effect::CancelResult(id, result))
    }

    fn change(&mut self, id: Uuid, change: impl FnOnce(&mut Refund)) {
        if let Some(refund) = self.payment.refunds.iter_mut().find(|refund| refund.id == id) {
            change(refund);
        }
    }
}

#[cfg(test)]
mod tests;
