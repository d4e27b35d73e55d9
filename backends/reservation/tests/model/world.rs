//! Everything that matters about one reservation, wherever it stands.

use std::collections::BTreeSet;

use cms::hold;
use payment::machine::{self as pay, Payment};
use reservation::machine::{self as book, RefundStatus, Reservation, Status};
use uuid::Uuid;

pub(crate) const TOTAL: i64 = 1_000;

/// What a service is made to get wrong, so that the model shows that it would see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lie {
    /// No answer to a confirm is taken for a refusal.
    TimeoutIsRefusal,
    /// "Not yet" is taken for "never" before the session is over.
    AbortsEarly,
}

/// How far the create has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Create {
    /// Nobody knows of a hold.
    Asking,
    /// The CMS has said that it holds.
    Held,
    /// It is over.
    Over,
}

/// How far time has come, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Time {
    /// The booker can approve.
    Early,
    /// `approveBy` is over.
    TooLateToConfirm,
    /// The hold is over, and the life of a payment that nobody paid.
    HoldOver,
    /// The payment gateway's session is over, and with it every confirm that was on its way.
    SessionOver,
}

/// The payment gateway's own book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Gateway {
    pub(crate) status: Money,
    pub(crate) charges: u8,
    /// A confirm was refused for good: its key is answered so from now on.
    pub(crate) has_refused: bool,
    /// A confirm is on its way and may still land.
    pub(crate) is_confirm_under_way: bool,
    /// Somebody cancelled at the console, and payment was not told yet.
    pub(crate) is_to_announce: bool,
}

/// Where the money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Money {
    AtTheBooker,
    Taken,
    Returned,
}

/// A message to one of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Message {
    Confirm,
    Cancel(Uuid),
    Approved,
    Rejected,
    Returned(Uuid),
    Nothing(Uuid),
    RefundRejected(Uuid),
}

/// The calls of the CMS that the reservation has to make.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Steps {
    pub(crate) approve: bool,
    pub(crate) complete: bool,
    pub(crate) release: bool,
}

/// Calls of the CMS whose answer nobody waits for any more, and that may still land.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Late {
    pub(crate) reserve: bool,
    pub(crate) approve: bool,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) lie: Option<Lie>,
    pub(crate) create: Create,
    pub(crate) time: Time,
    pub(crate) reservation: Reservation,
    /// How many refund commands there were; the last one is the reservation's.
    pub(crate) refunds: u8,
    pub(crate) has_key: bool,
    pub(crate) kept: BTreeSet<Message>,
    pub(crate) steps: Steps,
    pub(crate) payment: Option<Payment>,
    pub(crate) gateway: Gateway,
    pub(crate) cms: Option<hold::Status>,
    pub(crate) late: Late,
    /// What was sent and not received, or received and may come once more.
    pub(crate) sent: BTreeSet<(Message, bool)>,
    pub(crate) was_cancelled_outside: bool,
}

impl World {
    pub(crate) fn new(lie: Option<Lie>) -> Self {
        Self {
            lie,
            create: Create::Asking,
            time: Time::Early,
            reservation: book::request().reservation,
            refunds: 0,
            has_key: false,
            kept: BTreeSet::new(),
            steps: Steps::default(),
            payment: None,
            gateway: Gateway {
                status: Money::AtTheBooker,
                charges: 0,
                has_refused: false,
                is_confirm_under_way: false,
                is_to_announce: false,
            },
            cms: None,
            late: Late::default(),
            sent: BTreeSet::new(),
            was_cancelled_outside: false,
        }
    }

    /// The reservation's last refund command.
    pub(crate) fn refund_id(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.refunds))
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.sent.insert((message, false));
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.reservation.status == Status::Confirmed
    }

    /// Nothing is left to be done by anybody but the booker.
    pub(crate) fn is_quiet(&self) -> bool {
        let is_over = self.reservation.status.is_terminal() || self.is_confirmed();
        let is_refund_open =
            matches!(self.reservation.refund, RefundStatus::Requested | RefundStatus::Failed);
        let is_payment_busy = self.payment.as_ref().is_some_and(|payment| {
            payment.status == pay::Status::InProgress
                || payment.refunds.iter().any(pay::Refund::is_open)
        });
        is_over
            && !is_refund_open
            && !is_payment_busy
            && self.steps == Steps::default()
            && self.late == Late::default()
            && self.kept.is_empty()
            && self.sent.iter().all(|(_, is_received)| *is_received)
            && !self.gateway.is_confirm_under_way
            && !self.gateway.is_to_announce
    }

    /// The promise that this world breaks.
    pub(crate) fn broken(&self) -> Option<&'static str> {
        if self.gateway.charges > 1 {
            return Some("two charges");
        }
        let accepted = self.reservation.is_cancel_requested;
        if self.is_confirmed() && accepted {
            return Some("confirmed after a cancel was accepted");
        }
        if !self.is_quiet() {
            return None;
        }
        let done = self.payment.as_ref().map(|payment| payment.status);
        if self.is_confirmed() {
            let is_paid = self.gateway.status == Money::Taken && done == Some(pay::Status::Done);
            let is_booked = self.cms == Some(hold::Status::Paid);
            return (!is_paid || !is_booked).then_some("confirmed without money or room");
        }
        if self.gateway.status == Money::Taken {
            return Some("money is kept");
        }
        let is_free =
            matches!(self.cms, None | Some(hold::Status::Cancelled | hold::Status::Expired));
        (!is_free).then_some("a room is kept")
    }
}
