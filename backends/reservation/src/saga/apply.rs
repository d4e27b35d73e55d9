//! What a decision makes of a stored reservation.

use ::reservation::machine::{self, Decision, Effect, RefundReason, RefundStatus, Status};
use jiff::Timestamp;
use service::clock::{after, before};
use service::code::Code;
use service::stored::{instant, read_code};
use uuid::Uuid;

use super::Saga;
use super::change::Known;
use super::letters::refund_amount;
use crate::store::record::Record;

impl Saga {
    /// The reservation as it is after a change.
    pub(super) fn apply(
        &self,
        before: &Record,
        decision: &Decision,
        known: &Known<'_>,
        now: Timestamp,
    ) -> Result<Record, sqlx::Error> {
        let mut record = before.clone();
        let at = instant(now);
        let facts = &decision.reservation;
        facts.status.code().clone_into(&mut record.shown.status);
        facts.refund.code().clone_into(&mut record.shown.refund_status);
        facts.cms.code().clone_into(&mut record.cms_status);
        record.charged_at = stamp(record.charged_at, facts.is_charged, &at);
        record.released_at = stamp(record.released_at, facts.is_released, &at);
        if facts.is_cancel_requested && record.shown.cancel_requested_at.is_none() {
            record.shown.cancel_requested_at = Some(at.clone());
            record.cancel_reason = known.note.map(str::to_owned);
        }
        remember_failure(&mut record, before, decision, known)?;
        remember_payment(&mut record, decision, known);
        if let Some(held) = known.held {
            record.cms_reservation_id = Some(held.cms_reservation_id.clone());
            record.shown.hold_expires_at = Some(instant(held.hold_expires_at));
        }
        for effect in &decision.effects {
            self.apply_effect(&mut record, *effect, known, now)?;
        }
        self.plan(&mut record, before, now)?;
        record.shown.updated_at = at;
        Ok(record)
    }

    fn apply_effect(
        &self,
        record: &mut Record,
        effect: Effect,
        known: &Known<'_>,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        match effect {
            Effect::AdoptKey | Effect::RequestConfirm => {
                if let Some(key) = known.key {
                    record.payment_key = Some(key.to_owned());
                }
                if effect == Effect::RequestConfirm
                    && let Some(hold) = record.hold_expires_at()?
                {
                    let deadline = before(hold, self.timing.approve_lead);
                    record.approve_deadline = Some(instant(deadline));
                }
            }
            Effect::OpenBookingSteps => {
                let deadline = after(now, self.timing.confirm_deadline);
                record.confirm_deadline = Some(instant(deadline));
            }
            Effect::Refund(reason) => {
                record.refund_id = Some(Uuid::now_v7().to_string());
                record.refund_reason = Some(refund_code(reason).to_owned());
                record.refund_amount = Some(match reason {
                    RefundReason::Customer => refund_amount(record),
                    RefundReason::CmsApproveFailed
                    | RefundReason::LateApproval
                    | RefundReason::Operator => record.shown.total_amount,
                });
            }
            Effect::FreeKey => record.idempotency_key = None,
            Effect::Release
            | Effect::RepeatRefund
            | Effect::KeepResult
            | Effect::Wake
            | Effect::Publish(_)
            | Effect::Alert(_) => {}
        }
        Ok(())
    }

    /// When somebody has to look at it again, unless something happens before.
    fn plan(
        &self,
        record: &mut Record,
        before: &Record,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let is_same = record.shown.status == before.shown.status
            && record.shown.refund_status == before.shown.refund_status;
        if is_same {
            return Ok(());
        }
        let status: Status = read_code(&record.shown.status)?;
        let refund: RefundStatus = read_code(&record.shown.refund_status)?;
        let due = match status {
            Status::Requested => Some(after(now, self.timing.create_timeout)),
            Status::PendingPayment => {
                record.hold_expires_at()?.map(|hold| after(hold, self.timing.skew_margin))
            }
            Status::Approving => Some(after(now, self.timing.result_timeout)),
            Status::Confirming
            | Status::Confirmed
            | Status::Cancelling
            | Status::Cancelled
            | Status::Compensating
            | Status::Failed
            | Status::Expired => {
                let is_open = matches!(refund, RefundStatus::Requested | RefundStatus::Failed);
                is_open.then(|| after(now, self.timing.refund_check))
            }
        };
        record.due_at = due.map(instant);
        Ok(())
    }
}

/// Nobody makes it any more once it is something else than requested.
fn remember_payment(record: &mut Record, decision: &Decision, known: &Known<'_>) {
    if decision.reservation.status != Status::Requested {
        record.create_owner = None;
        record.create_leased_until = None;
    }
    if let Some(payment) = known.payment {
        if record.shown.payment_id.is_none() {
            record.shown.payment_id = Some(payment.id.to_string());
        }
        let is_charge = matches!(
            payment.status,
            crate::payments::Status::Done | crate::payments::Status::PartialCanceled
        );
        if is_charge || record.shown.payment_method.is_none() {
            record.shown.payment_method.clone_from(&payment.method);
            record.shown.payment_approved_at = payment.approved_at.map(instant);
        }
    }
    let shown = match decision.reservation {
        machine::Reservation { refund: RefundStatus::Done, .. } => "CANCELED",
        machine::Reservation { is_charged: true, .. } => "DONE",
        machine::Reservation { status: Status::Failed, .. } => "ABORTED",
        machine::Reservation { .. } => "READY",
    };
    if record.shown.payment_id.is_some() {
        record.shown.payment_status = Some(shown.to_owned());
    }
}

fn remember_failure(
    record: &mut Record,
    before: &Record,
    decision: &Decision,
    known: &Known<'_>,
) -> Result<(), sqlx::Error> {
    let failure = decision.reservation.failure;
    if failure == before.facts()?.failure {
        return Ok(());
    }
    let (own_code, own_message) = match failure {
        None => {
            record.shown.failure_code = None;
            record.shown.failure_message = None;
            return Ok(());
        }
        Some(machine::Failure::HoldRefused) => ("ROOM_NOT_AVAILABLE", "the room cannot be had"),
        Some(machine::Failure::PaymentCreateFailed) => {
            ("PAYMENT_CREATE_FAILED", "the payment could not be made")
        }
        Some(machine::Failure::CreateTimeout) => ("CREATE_TIMEOUT", "it took too long to make it"),
        Some(machine::Failure::PaymentRejected) => ("PAYMENT_REJECTED", "the payment was refused"),
        Some(machine::Failure::CmsApproveFailed) => {
            ("CMS_APPROVE_FAILED", "the lodging could not fix the booking")
        }
        Some(machine::Failure::Operator) => ("OPERATOR", "it was given up by an operator"),
        Some(machine::Failure::PaymentCancelledElsewhere) => {
            ("PAYMENT_CANCELLED_ELSEWHERE", "the payment was cancelled outside this service")
        }
    };
    let is_told =
        matches!(failure, Some(machine::Failure::HoldRefused | machine::Failure::PaymentRejected));
    let (code, message) = known.refusal.filter(|_| is_told).unwrap_or((own_code, own_message));
    record.shown.failure_code = Some(code.to_owned());
    record.shown.failure_message = Some(message.to_owned());
    Ok(())
}

/// The first moment at which something was so.
fn stamp(known: Option<String>, is_so: bool, at: &str) -> Option<String> {
    if is_so { known.or_else(|| Some(at.to_owned())) } else { None }
}

fn refund_code(reason: RefundReason) -> &'static str {
    match reason {
        RefundReason::Customer => "CUSTOMER",
        RefundReason::CmsApproveFailed => "CMS_APPROVE_FAILED",
        RefundReason::LateApproval => "LATE_APPROVAL",
        RefundReason::Operator => "OPERATOR",
    }
}
