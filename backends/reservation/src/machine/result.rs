//! What payment says: T09–T12, T14, T20–T21, T23–T29, T33.

use super::{
    Alert, Decision, Effect, Failure, RefundReason, RefundStatus, Refusal, Row, Seen, Status,
};

impl Decision {
    pub(super) fn approved(self, is_ours: bool) -> Self {
        if !is_ours {
            return self.alert(Alert::ResultMismatch).noted();
        }
        let is_charged = self.reservation.is_charged;
        match self.reservation.status {
            Status::PendingPayment | Status::Approving => self.taken(),
            Status::Failed | Status::Expired | Status::Cancelled if !is_charged => {
                let late = self.row(Row::T23).charged().effect(Effect::AdoptKey);
                match late.reservation.refund {
                    RefundStatus::None | RefundStatus::Nothing => {
                        late.refund(RefundReason::LateApproval)
                    }
                    RefundStatus::Requested | RefundStatus::Done | RefundStatus::Failed => late,
                }
            }
            Status::Confirming | Status::Confirmed | Status::Cancelling | Status::Compensating
                if !is_charged =>
            {
                self.row(Row::T24).charged().effect(Effect::AdoptKey)
            }
            Status::Requested
            | Status::Confirming
            | Status::Confirmed
            | Status::Cancelling
            | Status::Cancelled
            | Status::Compensating
            | Status::Failed
            | Status::Expired => self.duplicate(),
        }
    }

    /// T09, T10
    fn taken(self) -> Self {
        let charged = self.charged().effect(Effect::AdoptKey);
        if charged.reservation.is_cancel_requested {
            return charged.row(Row::T10).to(Status::Cancelling).release();
        }
        charged.row(Row::T09).to(Status::Confirming).effect(Effect::OpenBookingSteps)
    }

    pub(super) fn rejected(self, is_our_key: bool) -> Self {
        if !is_our_key {
            return self.noted();
        }
        match self.reservation.status {
            Status::Approving => self.row(Row::T11).release().fail(Failure::PaymentRejected),
            Status::Failed | Status::Expired | Status::Cancelled => self.row(Row::T25),
            Status::Confirming | Status::Confirmed | Status::Cancelling | Status::Compensating
                if self.reservation.is_charged =>
            {
                self.row(Row::T26).contradiction()
            }
            Status::Requested
            | Status::PendingPayment
            | Status::Confirming
            | Status::Confirmed
            | Status::Cancelling
            | Status::Compensating => self.noted(),
        }
    }

    pub(super) fn pending(self) -> Self {
        if self.reservation.status == Status::Approving { self.row(Row::T12) } else { self.noted() }
    }

    pub(super) fn returned(self, is_ours: bool, is_all: bool) -> Self {
        let status = self.reservation.status;
        if !is_ours && !is_all {
            return self.noted();
        }
        match status {
            Status::Cancelling
            | Status::Cancelled
            | Status::Compensating
            | Status::Failed
            | Status::Expired => self.money_is_back(),
            Status::Confirming | Status::Confirmed
                if self.reservation.refund == RefundStatus::None =>
            {
                self.row(Row::T28)
                    .to(Status::Cancelling)
                    .refund_is(RefundStatus::Done)
                    .release()
                    .alert(Alert::CancelledElsewhere)
            }
            Status::PendingPayment | Status::Approving => self
                .row(Row::T29)
                .charged()
                .refund_is(RefundStatus::Done)
                .release()
                .fail(Failure::PaymentCancelledElsewhere),
            Status::Requested | Status::Confirming | Status::Confirmed => self.noted(),
        }
    }

    /// T20
    fn money_is_back(self) -> Self {
        if self.reservation.refund == RefundStatus::Done {
            return self.duplicate();
        }
        self.row(Row::T20).refund_is(RefundStatus::Done).finish_compensation()
    }

    pub(super) fn nothing_to_refund(self, is_ours: bool) -> Self {
        let status = self.reservation.status;
        if !is_ours || !(status.is_terminal() || status == Status::Compensating) {
            return self.noted();
        }
        match self.reservation.refund {
            RefundStatus::Requested | RefundStatus::Failed if self.reservation.is_charged => {
                self.row(Row::T20b).contradiction()
            }
            RefundStatus::Requested | RefundStatus::Failed => {
                self.row(Row::T20b).refund_is(RefundStatus::Nothing).finish_compensation()
            }
            RefundStatus::Nothing => self.duplicate(),
            RefundStatus::None | RefundStatus::Done => self.contradiction(),
        }
    }

    pub(super) fn refund_rejected(self, is_ours: bool) -> Self {
        let status = self.reservation.status;
        if !is_ours || !(status.is_terminal() || status == Status::Compensating) {
            return self.noted();
        }
        match self.reservation.refund {
            RefundStatus::Requested => {
                self.row(Row::T21).refund_is(RefundStatus::Failed).alert(Alert::RefundFailed)
            }
            RefundStatus::Failed => self.duplicate(),
            RefundStatus::None | RefundStatus::Done | RefundStatus::Nothing => self.noted(),
        }
    }

    pub(super) fn seen(self, seen: Seen) -> Self {
        if self.reservation.status == Status::Approving {
            return self.result_seen(seen);
        }
        match self.reservation.refund {
            RefundStatus::Requested | RefundStatus::Failed => self.refund_seen(seen),
            RefundStatus::None | RefundStatus::Done | RefundStatus::Nothing => self.noted(),
        }
    }

    /// T14
    fn result_seen(self, seen: Seen) -> Self {
        let asked = self.row(Row::T14);
        match seen {
            Seen::NoAnswer | Seen::Open => asked,
            Seen::NotFound => asked.alert(Alert::PaymentUnknown),
            Seen::Charged { is_ours } => asked.approved(is_ours),
            Seen::Refused => asked.rejected(true),
            Seen::Returned => asked.returned(false, true),
        }
    }

    /// T27
    fn refund_seen(self, seen: Seen) -> Self {
        let asked = self.row(Row::T27);
        match seen {
            Seen::NotFound => asked.alert(Alert::PaymentUnknown),
            Seen::Returned => asked.returned(false, true),
            Seen::NoAnswer | Seen::Open | Seen::Charged { .. } | Seen::Refused => {
                asked.effect(Effect::RepeatRefund)
            }
        }
    }

    /// T33, where payment knows nothing of the order.
    pub(super) fn settled(self) -> Self {
        let status = self.reservation.status;
        let can_be = status.is_terminal() || status == Status::Compensating;
        if !can_be || self.reservation.refund != RefundStatus::Failed {
            return self.refuse(Refusal::InvalidState);
        }
        self.row(Row::T33).refund_is(RefundStatus::Done).finish_compensation()
    }

    /// T22: room and money are back, whichever came last.
    pub(super) fn finish_compensation(self) -> Self {
        let is_settled =
            matches!(self.reservation.refund, RefundStatus::Done | RefundStatus::Nothing);
        let reservation = &self.reservation;
        if reservation.status != Status::Compensating || !reservation.is_released || !is_settled {
            return self;
        }
        let failure = reservation.failure.unwrap_or(Failure::CmsApproveFailed);
        self.row(Row::T22).fail(failure)
    }
}
