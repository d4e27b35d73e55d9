//! What the CMS answered to the steps of the saga: T15, T15b, T16, T19, T22, T31.

use super::{
    Announcement, CmsStatus, Decision, Failure, RefundReason, RefundStatus, Refusal, Row, Status,
    Step,
};

impl Decision {
    pub(super) fn step_done(mut self, step: Step, is_refundable: bool) -> Self {
        match step {
            Step::CmsApprove => {
                self.reservation.cms = CmsStatus::Approved;
                self.step_begins()
            }
            Step::CmsPaymentComplete => {
                self.reservation.cms = CmsStatus::Paid;
                if self.reservation.status != Status::Confirming {
                    return self.noted();
                }
                if self.reservation.is_cancel_requested {
                    return self.step_begins();
                }
                self.row(Row::T15).to(Status::Confirmed).publish(Announcement::Confirmed)
            }
            Step::ReleaseRoom { had_expired } => self.released(had_expired, is_refundable),
        }
    }

    /// T15b: nothing more is booked for somebody who has cancelled.
    pub(super) fn step_begins(self) -> Self {
        let reservation = &self.reservation;
        if reservation.status != Status::Confirming || !reservation.is_cancel_requested {
            return self.noted();
        }
        self.row(Row::T15b).to(Status::Cancelling).release()
    }

    fn released(mut self, had_expired: bool, is_refundable: bool) -> Self {
        self.reservation.is_released = true;
        self.reservation.cms = if had_expired { CmsStatus::Expired } else { CmsStatus::Cancelled };
        match self.reservation.status {
            Status::Cancelling => {
                let is_due = self.reservation.is_charged
                    && self.reservation.refund == RefundStatus::None
                    && is_refundable;
                let over = self.row(Row::T19).to(Status::Cancelled);
                let over = if is_due { over.refund(RefundReason::Customer) } else { over };
                over.publish(Announcement::Cancelled)
            }
            Status::Compensating => self.finish_compensation(),
            Status::Requested
            | Status::PendingPayment
            | Status::Approving
            | Status::Confirming
            | Status::Confirmed
            | Status::Cancelled
            | Status::Failed
            | Status::Expired => self.noted(),
        }
    }

    /// T16, T31
    pub(super) fn give_up(mut self, row: Row) -> Self {
        let is_operator = row == Row::T31;
        if self.reservation.status != Status::Confirming {
            return if is_operator { self.refuse(Refusal::InvalidState) } else { self.noted() };
        }
        if self.reservation.is_cancel_requested {
            return self.step_begins();
        }
        let (failure, reason) = if is_operator {
            (Failure::Operator, RefundReason::Operator)
        } else {
            (Failure::CmsApproveFailed, RefundReason::CmsApproveFailed)
        };
        self.reservation.failure = Some(failure);
        self.row(row).to(Status::Compensating).release().refund(reason)
    }
}
