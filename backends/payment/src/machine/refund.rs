//! Returning the money.

use uuid::Uuid;

use super::{
    Alert, Announcement, Asked, CancelAnswer, CancelResult, Decision, Next, Origin, Refund,
    RefundStatus, Row, Status,
};

impl Decision {
    pub(super) fn cancel(self, id: Uuid, amount: i64, is_leased: bool) -> Self {
        if let Some(known) = self.payment.refund(id).copied() {
            if known.status == RefundStatus::Nothing && self.payment.is_charged() {
                return self.row(Row::Rf12).request(id, is_leased);
            }
            return self.row(Row::Rf10).tell(id, latest(known.status));
        }
        let status = self.payment.status;
        let added = self.add(id, amount);
        match status {
            Status::Ready => {
                let mut cancelled = added.row(Row::Y08);
                cancelled.payment.status = Status::Aborted;
                cancelled.nothing(id)
            }
            Status::InProgress => added.row(Row::Y10).row(Row::Rf2).tell(id, CancelResult::Pending),
            Status::Done | Status::PartialCanceled => added.row(Row::Rf1).request(id, is_leased),
            Status::Canceled => added.row(Row::Y12).already_returned(id),
            Status::Aborted | Status::Expired => added.row(Row::Y13).nothing(id),
            // Never entered.
            Status::WaitingForDeposit => added.tell(id, CancelResult::Pending),
        }
    }

    fn add(mut self, id: Uuid, amount: i64) -> Self {
        self.payment.refunds.push(Refund {
            id,
            origin: Origin::Command,
            amount,
            status: RefundStatus::Requested,
            n: 1,
            is_sent: false,
            is_answered: false,
            is_by_hand: false,
        });
        self
    }

    /// RF3
    fn nothing(mut self, id: Uuid) -> Self {
        self.change(id, |refund| refund.status = RefundStatus::Nothing);
        self.row(Row::Rf3).tell(id, CancelResult::NothingToRefund)
    }

    /// RF4
    fn already_returned(mut self, id: Uuid) -> Self {
        self.change(id, |refund| {
            refund.status = RefundStatus::Done;
            refund.amount = 0;
        });
        self.row(Row::Rf4).tell(id, CancelResult::Cancelled)
    }

    /// Writes it down, and sends it unless another one is open or somebody else calls just now.
    fn request(mut self, id: Uuid, is_leased: bool) -> Self {
        let balance = self.payment.balance;
        self.change(id, |refund| {
            refund.status = RefundStatus::Requested;
            refund.amount = refund.amount.min(balance);
        });
        let is_first = self.payment.open_refund().is_some_and(|refund| refund.id == id);
        if !is_first || is_leased {
            return self.tell(id, CancelResult::Pending);
        }
        self.change(id, |refund| refund.is_sent = true);
        self.then(Next::Cancel(id))
    }

    pub(super) fn cancel_answered(self, id: Uuid, answer: CancelAnswer, fresh: Uuid) -> Self {
        if !self.payment.is_charged() {
            return self;
        }
        let is_open = self.payment.refund(id).is_some_and(Refund::is_open);
        match answer {
            CancelAnswer::Returned { balance } if balance < self.payment.balance => {
                self.book(balance, fresh)
            }
            CancelAnswer::Returned { .. } | CancelAnswer::Refused if !is_open => self,
            CancelAnswer::Returned { .. } => self.alert(Alert::Contradiction).retry(id),
            CancelAnswer::Refused => self.then(Next::Query(Asked::RefundRefusal(id))),
            CancelAnswer::Unknown => self.retry(id),
            CancelAnswer::Misconfigured => self.retry(id).alert(Alert::Misconfigured),
        }
    }

    /// RF6: later again, with the same key.
    fn retry(self, id: Uuid) -> Self {
        match self.payment.refund(id) {
            Some(refund) if refund.is_open() && !refund.is_answered => {
                self.row(Row::Rf6).tell(id, CancelResult::Pending)
            }
            Some(refund) if refund.is_open() => self.row(Row::Rf6),
            Some(_) | None => self,
        }
    }

    pub(super) fn refund_due(mut self, id: Uuid) -> Self {
        let turn = self.payment.open_refund().copied().filter(|refund| refund.id == id);
        let Some(refund) = turn.filter(|_| self.payment.is_charged()) else { return self };
        if refund.is_sent {
            let row = if refund.status == RefundStatus::Refused { Row::Rf8 } else { Row::Rf6 };
            return self.row(row).then(Next::Query(Asked::Refund(id)));
        }
        self.change(id, |refund| refund.is_sent = true);
        self.row(Row::Rf2).then(Next::Cancel(id))
    }

    /// The payment gateway did not say what became of a refund.
    pub(super) fn unanswered(self, asked: Asked) -> Self {
        match asked {
            Asked::Refund(id) | Asked::RefundRefusal(id) => self.retry(id),
            Asked::Command
            | Asked::Timer
            | Asked::Hint
            | Asked::LookUp { .. }
            | Asked::Refusal { .. } => self,
        }
    }

    /// It said that the money was not returned.
    pub(super) fn not_returned(self, asked: Asked) -> Self {
        let (id, is_refused) = match asked {
            Asked::Refund(id) => (id, false),
            Asked::RefundRefusal(id) => (id, true),
            Asked::Command
            | Asked::Timer
            | Asked::Hint
            | Asked::LookUp { .. }
            | Asked::Refusal { .. } => return self,
        };
        let Some(refund) = self.payment.refund(id).copied().filter(Refund::is_open) else {
            return self;
        };
        if !is_refused {
            return self.then(Next::Cancel(id));
        }
        let mut refused = self;
        refused.change(id, |refund| {
            refund.status = RefundStatus::Refused;
            refund.n = refund.n.saturating_add(1);
        });
        if refund.status == RefundStatus::Refused {
            return refused.row(Row::Rf8);
        }
        refused
            .row(Row::Rf7)
            .tell(id, CancelResult::Rejected)
            .publish(Announcement::CancelFailed)
            .alert(Alert::RefundRefused)
    }

    /// RF9
    pub(super) fn settle(mut self, id: Uuid) -> Self {
        let is_refused =
            self.payment.refund(id).is_some_and(|refund| refund.status == RefundStatus::Refused);
        if !is_refused {
            return self;
        }
        self.change(id, |refund| {
            refund.status = RefundStatus::Done;
            refund.is_by_hand = true;
        });
        self.row(Row::Rf9).tell(id, CancelResult::Cancelled)
    }
}

/// The result a command is answered with once more.
fn latest(status: RefundStatus) -> CancelResult {
    match status {
        RefundStatus::Requested => CancelResult::Pending,
        RefundStatus::Refused => CancelResult::Rejected,
        RefundStatus::Done => CancelResult::Cancelled,
        RefundStatus::Nothing => CancelResult::NothingToRefund,
    }
}
