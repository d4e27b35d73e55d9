//! From a decision to what is stored.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{TimeZone, offset};
use payment::machine::{
    Alert, Decision, Effect, Next, Origin, Reason, Refund, RefundStatus, Row, Status, Verdict,
};
use service::clock::after;
use service::code::Code;
use service::stored::{instant, read};
use service::timing::delay;
use sqlx::AnyConnection;

use super::change::{Change, Failure, Lease};
use super::{Cashier, papers};
use crate::gateway::View;
use crate::store::write::{self, Step};
use crate::store::{CancelRow, PaymentRow, Record, RefundRow, flag, reason_code};

/// How long a payment that is done is looked into when nobody told when the stay begins: longer than
/// anybody can reserve ahead.
const LOOK_DAYS: u64 = 120;

/// A payment as it is to be stored.
pub(super) struct Applied {
    pub(super) record: Record,
    /// What was returned and was not known before.
    new_cancels: Vec<CancelRow>,
}

impl Cashier {
    /// What a decision makes of a payment.
    pub(super) fn apply(
        &self,
        before: &Record,
        decision: &Decision,
        change: &Change<'_>,
        now: Timestamp,
    ) -> Result<Applied, Failure> {
        let mut row = before.payment.clone();
        let after = &decision.payment;
        after.status.code().clone_into(&mut row.status);
        row.balance_amount = after.balance;
        row.version += 1;
        row.updated_at = instant(now);
        if after.in_doubt {
            row.in_doubt_since.get_or_insert_with(|| instant(now));
        } else {
            row.in_doubt_since = None;
        }
        adopt(&mut row, decision, change);
        self.lease(&mut row, decision, change.lease, now);
        if decision.rows.contains(&Row::Y02) || decision.next == Next::Confirm {
            row.last_attempt_at = Some(instant(now));
            row.confirm_attempts += flag(decision.next == Next::Confirm);
        }
        self.schedule(&mut row, before, decision, change, now);
        let refunds = self.refund_rows(before, decision, change, now);
        let new_cancels = new_cancels(before, decision, change, now);
        let cancels = before.cancels.iter().chain(&new_cancels).cloned().collect();
        let mut record = Record { payment: row, refunds, cancels };
        if decision.payment.verdict != before.facts()?.verdict {
            judge(&mut record, decision, change, now)?;
        }
        Ok(Applied { record, new_cancels })
    }

    fn lease(&self, row: &mut PaymentRow, decision: &Decision, lease: Lease<'_>, now: Timestamp) {
        if decision.next != Next::Rest {
            row.leased_until = Some(self.lease_end(now));
            row.lease_owner = Some(lease.owner());
            return;
        }
        if row.lease_owner.as_deref() == Some(&lease.owner()) {
            row.leased_until = None;
            row.lease_owner = None;
        }
    }

    /// When the payment gateway is to be asked next.
    fn schedule(
        &self,
        row: &mut PaymentRow,
        before: &Record,
        decision: &Decision,
        change: &Change<'_>,
        now: Timestamp,
    ) {
        let has_changed = row.status != before.payment.status;
        if has_changed {
            row.looks = 0;
        }
        let wait = match decision.payment.status {
            Status::InProgress if decision.next != Next::Rest => Some(self.timing.stuck_after),
            Status::InProgress if decision.payment.in_doubt || change.known.is_look => {
                let looks = usize::try_from(row.looks).unwrap_or(usize::MAX);
                row.looks += 1;
                Some(delay(&self.timing.reconcile, looks))
            }
            // Written down only: nobody calls for it at this moment.
            Status::InProgress if has_changed => Some(delay(&self.timing.reconcile, 0)),
            Status::Done | Status::PartialCanceled if has_changed || change.known.is_look => {
                row.next_look_at = self.next_look(row, now).map(instant);
                return;
            }
            Status::InProgress | Status::Done | Status::PartialCanceled => return,
            Status::Ready
            | Status::WaitingForDeposit
            | Status::Canceled
            | Status::Aborted
            | Status::Expired => None,
        };
        row.next_look_at = wait.map(|wait| instant(after(now, wait)));
    }

    /// Once a day until the stay begins, and when it begins.
    fn next_look(&self, row: &PaymentRow, now: Timestamp) -> Option<Timestamp> {
        let next = after(now, self.timing.payment_recheck);
        let korea = TimeZone::fixed(offset(9));
        let begin = row.check_in_date.as_deref().and_then(|text| text.parse::<Date>().ok());
        let begin = begin.and_then(|date| korea.to_timestamp(date.into()).ok());
        if let Some(begin) = begin {
            return Some(next.min(begin)).filter(|_| now < begin);
        }
        let created: Timestamp = row.created_at.parse().unwrap_or(now);
        let last = after(created, Duration::from_hours(24 * LOOK_DAYS));
        Some(next).filter(|next| *next <= last)
    }

    fn refund_rows(
        &self,
        before: &Record,
        decision: &Decision,
        change: &Change<'_>,
        now: Timestamp,
    ) -> Vec<RefundRow> {
        let refunds = decision.payment.refunds.iter();
        let rows = refunds.map(|refund| {
            let id = refund.id.to_string();
            let known = before.refunds.iter().find(|row| row.refund_id == id);
            let row = known.cloned().unwrap_or_else(|| new_refund(before, refund, change, now));
            self.refund_row(row, refund, decision, change, now)
        });
        rows.collect()
    }

    fn refund_row(
        &self,
        mut row: RefundRow,
        refund: &Refund,
        decision: &Decision,
        change: &Change<'_>,
        now: Timestamp,
    ) -> RefundRow {
        let earlier = row.clone();
        row.amount = refund.amount;
        refund.status.code().clone_into(&mut row.status);
        row.n = i64::from(refund.n);
        row.is_sent = flag(refund.is_sent);
        row.is_answered = flag(refund.is_answered);
        row.is_by_hand = flag(refund.is_by_hand);
        if change.known.refund == Some(refund.id) {
            if let Some(refusal) = change.known.refusal {
                row.last_code = Some(refusal.code.clone());
            }
            row.note = change.known.note.map(str::to_owned).or(row.note);
            self.plan(&mut row, decision, now);
        }
        if !refund.is_open() {
            row.next_attempt_at = None;
        } else if row.next_attempt_at.is_none() {
            row.next_attempt_at = Some(instant(now));
        }
        if row != earlier || row.version == 0 {
            row.version += 1;
            row.updated_at = instant(now);
        }
        row
    }

    /// When the refund that this is about is tried next.
    fn plan(&self, row: &mut RefundRow, decision: &Decision, now: Timestamp) {
        let begins = [Row::Rf1, Row::Rf2, Row::Rf6, Row::Rf8, Row::Rf12];
        let is_try =
            decision.next != Next::Rest && decision.rows.iter().any(|row| begins.contains(row));
        if is_try {
            row.attempts += 1;
        } else if decision.next == Next::Rest && row.is_sent != 0 {
            let tried = usize::try_from(row.attempts.saturating_sub(1)).unwrap_or(usize::MAX);
            let wait = delay(&self.timing.refund_retry, tried);
            row.next_attempt_at = Some(instant(after(now, wait)));
        }
    }
}

impl Applied {
    /// Writes everything but the payment itself.
    pub(super) async fn write(
        &self,
        connection: &mut AnyConnection,
        before: &Record,
        decision: &Decision,
        change: &Change<'_>,
    ) -> Result<(), sqlx::Error> {
        let row = &self.record.payment;
        let cause: Vec<_> = decision.rows.iter().map(|row| row.code()).collect();
        let cause = cause.join("+");
        let message = change.known.cause.map(|id| id.to_string());
        let step = Step {
            seq: row.version,
            from: Some(&before.payment.status),
            to: &row.status,
            cause: &cause,
            actor: if change.known.note.is_some() { "OPERATOR" } else { "SYSTEM" },
            message_id: message.as_deref(),
            note: change.known.note,
            at: &row.updated_at,
        };
        if before.facts()? != decision.payment {
            write::tell_payment(connection, &row.payment_id, &step).await?;
        }
        for refund in &self.record.refunds {
            let known = before.refunds.iter().find(|known| known.refund_id == refund.refund_id);
            if known == Some(refund) {
                continue;
            }
            write::put_refund(connection, refund).await?;
            if known.is_none_or(|known| known.status != refund.status) {
                let from = known.map(|known| known.status.as_str());
                let step = Step { seq: refund.version, from, to: &refund.status, ..step };
                write::tell_refund(connection, &refund.refund_id, &step).await?;
            }
        }
        for (position, cancel) in (before.cancels.len() + 1..).zip(&self.new_cancels) {
            let position = i64::try_from(position).unwrap_or(i64::MAX);
            write::insert_cancel(connection, &row.payment_id, position, cancel).await?;
        }
        Ok(())
    }
}

/// Takes over what the command and the payment gateway tell.
fn adopt(row: &mut PaymentRow, decision: &Decision, change: &Change<'_>) {
    let known = &change.known;
    if decision.effects.contains(&Effect::AdoptKey) {
        let key = known.confirm.map(|command| &command.payment_key);
        let key = key.or(known.view.map(|view| &view.payment_key));
        row.payment_key = key.cloned().or(row.payment_key.take());
    }
    if let Some(command) = known.confirm.filter(|_| decision.rows.contains(&Row::Y02)) {
        row.approve_by = Some(instant(command.approve_by));
    }
    if let Some(refusal) = known.refusal {
        row.last_pg_error_code = Some(refusal.code.clone());
    }
    let alert = decision.effects.iter().find_map(|effect| match effect {
        Effect::Alert(alert) => Some(*alert),
        Effect::ConfirmResult(_)
        | Effect::CancelResult(..)
        | Effect::Publish(_)
        | Effect::AdoptKey => None,
    });
    // Refunds that are refused have a list of their own, and settings are not the payment's fault.
    let lasting = alert.filter(|alert| match alert {
        Alert::LateApproval
        | Alert::ReturnedOutside
        | Alert::PartlyReturnedOutside
        | Alert::Contradiction => true,
        Alert::RefundRefused | Alert::Misconfigured => false,
    });
    if let Some(alert) = lasting {
        row.alert = Some(papers::alert_code(alert).to_owned());
    }
    show(row, decision, known.view);
}

/// Takes over what the payment gateway tells of a payment that was charged.
pub(super) fn show(row: &mut PaymentRow, decision: &Decision, view: Option<&View>) {
    let is_charged = decision.payment.is_charged() || decision.payment.status == Status::Canceled;
    if let Some(view) = view.filter(|_| is_charged) {
        row.method = view.method.clone().or(row.method.take());
        row.details.clone_from(&view.details);
        row.last_transaction_key =
            view.last_transaction_key.clone().or(row.last_transaction_key.take());
        row.approved_at = row.approved_at.take().or(view.approved_at.map(instant));
    }
}

/// Keeps a new verdict, as the message that tells it.
fn judge(
    record: &mut Record,
    decision: &Decision,
    change: &Change<'_>,
    now: Timestamp,
) -> Result<(), Failure> {
    let row = &mut record.payment;
    match decision.payment.verdict {
        Some(Verdict::Approved) => {
            row.approved_at.get_or_insert_with(|| instant(now));
            row.failure_code = None;
            row.failure_message = None;
        }
        Some(Verdict::Rejected(reason)) => {
            let (code, message) = failure(reason, row, change);
            row.failure_code = Some(code);
            row.failure_message = Some(message);
        }
        None => {}
    }
    record.payment.stored_result = papers::final_result(record, decision)?;
    Ok(())
}

/// Why the money was not taken, as the member is told.
fn failure(reason: Reason, row: &PaymentRow, change: &Change<'_>) -> (String, String) {
    if let Some(code) = reason_code(reason) {
        return (code.to_owned(), papers::sentence(reason).to_owned());
    }
    let refusal = change.known.refusal.or(change.known.view.and_then(|view| view.failure.as_ref()));
    refusal.map_or_else(
        || {
            let code = row.last_pg_error_code.clone();
            let code = code.unwrap_or_else(|| "CONFIRM_NOT_DONE".to_owned());
            (code, papers::sentence(reason).to_owned())
        },
        |refusal| (refusal.code.clone(), refusal.message.clone()),
    )
}

fn new_refund(before: &Record, refund: &Refund, change: &Change<'_>, now: Timestamp) -> RefundRow {
    let command = change.known.cancel.filter(|command| command.refund_id == refund.id);
    let reason = command.map_or("returned at the payment gateway", |command| &command.reason);
    RefundRow {
        refund_id: refund.id.to_string(),
        payment_id: before.payment.payment_id.clone(),
        origin: refund.origin.code().to_owned(),
        amount: refund.amount,
        reason: reason.to_owned(),
        reason_code: command.map_or("OUTSIDE", |command| command.reason_code.as_str()).to_owned(),
        status: refund.status.code().to_owned(),
        n: i64::from(refund.n),
        attempts: 0,
        next_attempt_at: None,
        last_code: None,
        note: None,
        is_sent: 0,
        is_answered: 0,
        is_by_hand: 0,
        version: 0,
        created_at: instant(now),
        updated_at: instant(now),
    }
}

/// What the payment gateway has returned beyond what is known, each part under the refund that led
/// to it.
fn new_cancels(
    before: &Record,
    decision: &Decision,
    change: &Change<'_>,
    now: Timestamp,
) -> Vec<CancelRow> {
    let returned = before.payment.balance_amount - decision.payment.balance;
    if returned <= 0 {
        return Vec::new();
    }
    let is_new = |refund: &&Refund| {
        let id = refund.id.to_string();
        let known = before.refunds.iter().find(|row| row.refund_id == id);
        let was_done = known.is_some_and(|row| row.status == RefundStatus::Done.code());
        refund.status == RefundStatus::Done && !was_done && refund.amount > 0
    };
    let refunds: Vec<_> = decision.payment.refunds.iter().filter(is_new).collect();
    let outside = refunds.iter().find(|refund| refund.origin == Origin::Outside);
    let mut own = refunds.iter().find(|refund| refund.origin == Origin::Command && refund.is_sent);
    let told = change.known.view.map(|view| view.cancels.as_slice()).unwrap_or_default();
    let known = |key: &str| before.cancels.iter().any(|row| row.transaction_key == key);
    let mut rows = Vec::new();
    for cancel in told.iter().filter(|cancel| !known(&cancel.transaction_key)) {
        let is_own = own.is_some_and(|refund| refund.amount == cancel.cancel_amount);
        let refund = if is_own || outside.is_none() { own } else { outside };
        let Some(refund) = refund.or(outside) else { continue };
        if is_own && outside.is_some() {
            own = None;
        }
        rows.push(CancelRow { refund_id: refund.id.to_string(), ..cancel.clone() });
    }
    if rows.is_empty() {
        rows.extend(refunds.first().map(|refund| unlisted(before, decision, refund, now)));
    }
    rows
}

/// Money that was returned although the payment gateway lists no part of it.
fn unlisted(before: &Record, decision: &Decision, refund: &Refund, now: Timestamp) -> CancelRow {
    CancelRow {
        refund_id: refund.id.to_string(),
        cancel_amount: before.payment.balance_amount - decision.payment.balance,
        cancel_reason: "not told".to_owned(),
        tax_free_amount: 0,
        tax_exemption_amount: 0,
        refundable_amount: decision.payment.balance,
        canceled_at: instant(now),
        transaction_key: refund.id.to_string(),
        receipt_key: None,
        cancel_status: "DONE".to_owned(),
        cancel_request_id: None,
    }
}

/// Reads an instant of the payment.
pub(super) fn at(text: Option<&str>) -> Result<Option<Timestamp>, sqlx::Error> {
    text.map(read).transpose()
}
