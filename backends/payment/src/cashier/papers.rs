//! What is told to others, as it is written into the outbox.

use jiff::Timestamp;
use messaging::outbox::{Batch, Draft};
use messaging::payload::{
    CancelOutcome, ConfirmOutcome, Failure as Told, PaymentCancelResult, PaymentConfirmResult,
    PaymentEvent, PaymentEventKind,
};
use payment::machine::{
    Alert, Announcement, CancelResult, ConfirmResult, Decision, Effect, Reason, Row, Verdict,
};
use service::stored::read;
use sqlx::AnyConnection;
use uuid::Uuid;

use super::apply::at;
use super::change::{Change, Failure};
use super::{CancelCommand, ConfirmCommand};
use crate::store::{CancelRow, Record, RefundRow, reason_code};

const NOT_FOUND: &str = "NOT_FOUND_PAYMENT";

/// What goes into the outbox with one change, in this order.
#[derive(Debug)]
pub(super) struct Letters {
    order_id: String,
    member_id: i64,
    all: Vec<Letter>,
}

#[derive(Debug)]
enum Letter {
    Confirm(Box<PaymentConfirmResult>),
    Cancel(Box<PaymentCancelResult>),
    Event(Box<PaymentEvent>),
}

impl Letters {
    /// Writes them into the outbox; their ids.
    pub(super) async fn append(
        &self,
        connection: &mut AnyConnection,
        cause: Option<Uuid>,
        now: Timestamp,
    ) -> Result<Vec<Uuid>, sqlx::Error> {
        let mut batch = Batch::new(now);
        for letter in &self.all {
            match letter {
                Letter::Confirm(result) => batch.add(&self.draft(cause, result.as_ref()))?,
                Letter::Cancel(result) => batch.add(&self.draft(cause, result.as_ref()))?,
                Letter::Event(event) => batch.add(&self.draft(cause, event.as_ref()))?,
            };
        }
        batch.append(connection).await
    }

    fn draft<'a, P>(&'a self, causation_id: Option<Uuid>, payload: &'a P) -> Draft<'a, P> {
        Draft {
            key: &self.order_id,
            correlation_id: &self.order_id,
            causation_id,
            member_id: Some(self.member_id),
            payload,
        }
    }
}

/// What a change has to tell.
pub(super) fn letters(
    record: &Record,
    decision: &Decision,
    change: &Change<'_>,
) -> Result<Letters, Failure> {
    let mut letters = Vec::new();
    for effect in &decision.effects {
        match effect {
            Effect::ConfirmResult(result) => {
                let command = change.known.confirm.filter(|_| decision.rows == [Row::Y16]);
                letters.push(Letter::Confirm(Box::new(confirm_result(record, *result, command)?)));
            }
            Effect::CancelResult(refund, result) => {
                letters.push(Letter::Cancel(Box::new(cancel_result(record, *refund, *result)?)));
            }
            Effect::Publish(announcement) => {
                letters.push(Letter::Event(Box::new(event(record, decision, *announcement)?)));
            }
            Effect::AdoptKey | Effect::Alert(_) => {}
        }
    }
    Ok(Letters::of(record, letters))
}

/// What a new payment has to tell.
pub(super) fn created(record: &Record, decision: &Decision) -> Result<Letters, Failure> {
    let event = event(record, decision, Announcement::Created)?;
    Ok(Letters::of(record, vec![Letter::Event(Box::new(event))]))
}

/// The final result as it is kept, to be told again.
pub(super) fn final_result(
    record: &Record,
    decision: &Decision,
) -> Result<Option<String>, Failure> {
    let Some(verdict) = decision.payment.verdict else { return Ok(None) };
    let result = confirm_result(record, ConfirmResult::Final(verdict), None)?;
    Ok(Some(serde_json::to_string(&result)?))
}

impl Letters {
    fn of(record: &Record, letters: Vec<Letter>) -> Self {
        let order_id = record.payment.order_id.clone();
        Self { order_id, member_id: record.payment.member_id, all: letters }
    }
}

/// A result of a confirm; `command` when only that command is answered by it.
fn confirm_result(
    record: &Record,
    result: ConfirmResult,
    command: Option<&ConfirmCommand>,
) -> Result<PaymentConfirmResult, Failure> {
    let row = &record.payment;
    if let (ConfirmResult::Final(_), None, Some(stored)) = (result, command, &row.stored_result) {
        return Ok(serde_json::from_str(stored)?);
    }
    let (outcome, code, message) = match result {
        ConfirmResult::Final(Verdict::Approved) => {
            (ConfirmOutcome::Approved, "PAYMENT_CONFIRMED".to_owned(), None)
        }
        ConfirmResult::Pending => {
            (ConfirmOutcome::Pending, "PAYMENT_CONFIRM_PENDING".to_owned(), None)
        }
        ConfirmResult::Final(Verdict::Rejected(reason)) => {
            let own = reason_code(reason).map(str::to_owned);
            let code = own.or_else(|| row.failure_code.clone());
            let message = row.failure_message.clone().filter(|_| command.is_none());
            let message = message.unwrap_or_else(|| sentence(reason).to_owned());
            (ConfirmOutcome::Rejected, code.unwrap_or_default(), Some(message))
        }
    };
    let (status, value) = match outcome {
        ConfirmOutcome::Approved => ("OK", 200),
        ConfirmOutcome::Pending => ("ACCEPTED", 202),
        ConfirmOutcome::Rejected => ("CONFLICT", 409),
    };
    let is_approved = outcome == ConfirmOutcome::Approved;
    let key = command.map(|command| command.payment_key.clone());
    Ok(PaymentConfirmResult {
        status: status.to_owned(),
        value,
        result: outcome,
        payment_id: row.id()?,
        order_id: read(&row.order_id)?,
        member_id: row.member_id,
        payment_key: key.or_else(|| row.payment_key.clone()),
        total_amount: row.total_amount,
        method: row.method.clone().filter(|_| is_approved),
        approved_at: at(row.approved_at.as_deref())?.filter(|_| is_approved),
        failure: message.map(|message| failure(&code, message)),
        code,
    })
}

fn cancel_result(
    record: &Record,
    refund_id: Uuid,
    result: CancelResult,
) -> Result<PaymentCancelResult, Failure> {
    let row = &record.payment;
    let refund = refund(record, refund_id)?;
    let is_by_hand = refund.is_by_hand != 0;
    let (outcome, status, value, code) = match result {
        CancelResult::Cancelled if is_by_hand => {
            (CancelOutcome::Cancelled, "OK", 200, "REFUND_SETTLED_BY_HAND")
        }
        CancelResult::Cancelled => (CancelOutcome::Cancelled, "OK", 200, "PAYMENT_CANCELLED"),
        CancelResult::NothingToRefund => {
            (CancelOutcome::NothingToRefund, "OK", 200, "NOTHING_TO_REFUND")
        }
        CancelResult::Pending => {
            (CancelOutcome::Pending, "ACCEPTED", 202, "PAYMENT_CANCEL_PENDING")
        }
        CancelResult::Rejected => {
            (CancelOutcome::Rejected, "CONFLICT", 409, "PAYMENT_CANCEL_FAILED")
        }
    };
    let cancel = returned(record, refund).filter(|_| outcome == CancelOutcome::Cancelled);
    let amount = cancel.filter(|_| !is_by_hand).map_or(refund.amount, |row| row.cancel_amount);
    let told = (outcome == CancelOutcome::Cancelled).then_some(amount);
    let refused = (outcome == CancelOutcome::Rejected).then(|| refused(refund));
    Ok(PaymentCancelResult {
        status: status.to_owned(),
        value,
        code: code.to_owned(),
        result: outcome,
        refund_id,
        payment_id: row.id()?,
        order_id: read(&row.order_id)?,
        cancel_amount: told,
        balance_amount: Some(row.balance_amount),
        transaction_key: cancel.map(|row| row.transaction_key.clone()),
        canceled_at: at(cancel.map(|row| row.canceled_at.as_str()))?,
        failure: refused,
    })
}

fn event(
    record: &Record,
    decision: &Decision,
    announcement: Announcement,
) -> Result<PaymentEvent, Failure> {
    let row = &record.payment;
    let own = decision.effects.iter().find_map(|effect| match effect {
        Effect::CancelResult(refund, _) => Some(*refund),
        Effect::ConfirmResult(_) | Effect::Publish(_) | Effect::AdoptKey | Effect::Alert(_) => None,
    });
    let refund = own.map(|id| refund(record, id)).transpose()?;
    let cancel = refund.and_then(|refund| returned(record, refund));
    let cancel = cancel.filter(|_| announcement == Announcement::Cancelled);
    let failure = match announcement {
        Announcement::Rejected => row
            .failure_code
            .as_deref()
            .map(|code| failure(code, row.failure_message.clone().unwrap_or_default())),
        Announcement::CancelFailed => refund.map(refused),
        Announcement::Created
        | Announcement::Approved
        | Announcement::Cancelled
        | Announcement::Expired => None,
    };
    Ok(PaymentEvent {
        kind: match announcement {
            Announcement::Created => PaymentEventKind::Created,
            Announcement::Approved => PaymentEventKind::Approved,
            Announcement::Rejected => PaymentEventKind::Rejected,
            Announcement::Cancelled => PaymentEventKind::Cancelled,
            Announcement::Expired => PaymentEventKind::Expired,
            Announcement::CancelFailed => PaymentEventKind::CancelFailed,
        },
        payment_id: row.id()?,
        order_id: read(&row.order_id)?,
        member_id: row.member_id,
        status: row.status.clone(),
        method: row.method.clone(),
        total_amount: row.total_amount,
        balance_amount: row.balance_amount,
        cancel_amount: cancel.map(|row| row.cancel_amount),
        approved_at: at(row.approved_at.as_deref())?,
        canceled_at: at(cancel.map(|row| row.canceled_at.as_str()))?,
        failure,
    })
}

/// The answer to a confirm of a payment that does not exist.
pub(super) fn unknown_confirm(command: &ConfirmCommand) -> Letters {
    let result = PaymentConfirmResult {
        status: "NOT_FOUND".to_owned(),
        value: 404,
        code: NOT_FOUND.to_owned(),
        result: ConfirmOutcome::Rejected,
        payment_id: command.payment_id,
        order_id: command.order_id,
        member_id: command.member_id,
        payment_key: Some(command.payment_key.clone()),
        total_amount: command.amount,
        method: None,
        approved_at: None,
        failure: Some(failure(NOT_FOUND, "there is no such payment".to_owned())),
    };
    Letters {
        order_id: command.order_id.to_string(),
        member_id: command.member_id,
        all: vec![Letter::Confirm(Box::new(result))],
    }
}

/// The answer to a cancel of a payment that does not exist.
pub(super) fn unknown_cancel(command: &CancelCommand) -> Letters {
    let result = PaymentCancelResult {
        status: "NOT_FOUND".to_owned(),
        value: 404,
        code: NOT_FOUND.to_owned(),
        result: CancelOutcome::Rejected,
        refund_id: command.refund_id,
        payment_id: command.payment_id,
        order_id: command.order_id,
        cancel_amount: None,
        balance_amount: None,
        transaction_key: None,
        canceled_at: None,
        failure: Some(failure(NOT_FOUND, "there is no such payment".to_owned())),
    };
    Letters {
        order_id: command.order_id.to_string(),
        member_id: command.member_id,
        all: vec![Letter::Cancel(Box::new(result))],
    }
}

fn refund(record: &Record, id: Uuid) -> Result<&RefundRow, Failure> {
    let id = id.to_string();
    record.refunds.iter().find(|row| row.refund_id == id).ok_or(Failure::Unknown)
}

/// What was returned for a refund, or what was returned before it was asked for.
fn returned<'a>(record: &'a Record, refund: &RefundRow) -> Option<&'a CancelRow> {
    let mut own = record.cancels.iter().filter(|row| row.refund_id == refund.refund_id);
    own.next_back().or(record.cancels.last())
}

fn refused(refund: &RefundRow) -> Told {
    let code = refund.last_code.as_deref().unwrap_or("PAYMENT_CANCEL_FAILED");
    let message = "the payment gateway refuses to return the money; it is tried again";
    Told { retryable: true, ..failure(code, message.to_owned()) }
}

fn failure(code: &str, message: String) -> Told {
    Told { code: code.to_owned(), message, retryable: false }
}

/// Why no money was taken, for people.
pub(super) fn sentence(reason: Reason) -> &'static str {
    match reason {
        Reason::AmountMismatch => "the amount is not that of the payment",
        Reason::DeadlinePassed => "it came too late to be confirmed",
        Reason::CancelledBeforeConfirm => "it was cancelled before it was confirmed",
        Reason::NotDone => "the payment gateway has not taken the money",
        Reason::Expired => "the time to pay ran out",
        Reason::Cancelled => "it was cancelled",
        Reason::KeyMismatch => "the payment key is not that of the payment",
        Reason::Refused => "the payment gateway refused it",
    }
}

/// An alert as operators know it.
pub(crate) fn alert_code(alert: Alert) -> &'static str {
    match alert {
        Alert::LateApproval => "LATE_APPROVAL",
        Alert::ReturnedOutside => "RETURNED_OUTSIDE",
        Alert::PartlyReturnedOutside => "PARTLY_RETURNED_OUTSIDE",
        Alert::RefundRefused => "REFUND_REFUSED",
        Alert::Misconfigured => "PG_MISCONFIGURED",
        Alert::Contradiction => "CONTRADICTION",
    }
}
