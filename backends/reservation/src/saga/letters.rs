//! What a change writes beside the reservation: history, steps, alerts, and messages for others.

use ::reservation::machine::{Alert, Announcement, Decision, Effect, Row, Verdict};
use jiff::Timestamp;
use messaging::outbox::{Batch, Draft};
use messaging::payload::{
    Payload, PaymentCancelRequested, PaymentConfirmRequested, RefundReason, ReservationEvent,
    ReservationEventKind,
};
use service::code::Code;
use service::stored::{instant, read, unreadable};
use sqlx::AnyConnection;
use uuid::Uuid;

use super::Failure;
use super::change::Known;
use crate::store::history::{self, Entry};
use crate::store::record::Record;
use crate::store::steps::{self, Kind};

/// What the payment gateway takes as the name of an order.
const LONGEST_NAME: usize = 100;
const KRW: &str = "KRW";

/// A change that is being written.
pub(super) struct Context<'a> {
    pub(super) before: &'a Record,
    pub(super) after: &'a Record,
    pub(super) known: &'a Known<'a>,
    pub(super) now: Timestamp,
}

/// What is returned of a reservation that its booker has cancelled: the refund policy (4.1), asked
/// with the moment of the cancellation. All of it, as long as nobody replaces it.
pub(crate) fn refund_amount(record: &Record) -> i64 {
    record.shown.total_amount
}

impl Context<'_> {
    /// Writes down what happened, also when it changed nothing.
    pub(super) async fn note(
        &self,
        connection: &mut AnyConnection,
        decision: &Decision,
    ) -> Result<(), sqlx::Error> {
        let rows: Vec<_> = decision.rows.iter().map(|row| row.code()).collect();
        let cause = match decision.verdict {
            Verdict::Applies => rows.join(" "),
            Verdict::Contradiction => format!("{} CONTRADICTION", rows.join(" ")),
            Verdict::Duplicate => "DUPLICATE".to_owned(),
            Verdict::Noted | Verdict::Refused(_) => "NOTED".to_owned(),
        };
        let refusal = self.known.refusal.map(|(code, message)| format!("{code}: {message}"));
        let entry = Entry {
            from: (!decision.rows.contains(&Row::T01)).then_some(&self.before.shown.status),
            to: &self.after.shown.status,
            cause: cause.trim(),
            actor: self.known.actor.code(),
            message_id: self.known.message.map(|message| message.id.to_string()),
            note: self.known.note.or(refusal.as_deref()),
            at: &instant(self.now),
        };
        history::add(connection, self.after.key(), &entry).await
    }

    /// Writes what the decision asks for; the ids of the messages.
    pub(super) async fn carry_out(
        &self,
        connection: &mut AnyConnection,
        decision: &Decision,
    ) -> Result<Vec<Uuid>, Failure> {
        let mut batch = Batch::new(self.now);
        for effect in &decision.effects {
            self.effect(connection, *effect, &mut batch).await?;
        }
        Ok(batch.append(connection).await?)
    }

    async fn effect(
        &self,
        connection: &mut AnyConnection,
        effect: Effect,
        batch: &mut Batch,
    ) -> Result<(), Failure> {
        let (key, now) = (self.after.key(), instant(self.now));
        match effect {
            Effect::OpenBookingSteps => {
                let kinds = [(Kind::CmsApprove, ""), (Kind::CmsPaymentComplete, "")];
                steps::open(connection, key, &kinds, &now).await?;
            }
            Effect::Release => {
                steps::close_booking(connection, key, &now).await?;
                steps::open(connection, key, &[(Kind::ReleaseRoom, "")], &now).await?;
            }
            Effect::Wake => {
                steps::hurry(connection, key, None, &now).await?;
            }
            Effect::KeepResult => {
                if let Some(message) = self.known.message {
                    let content = serde_json::to_string(message.said)?;
                    steps::open(connection, key, &[(Kind::ApplyResult, &content)], &now).await?;
                }
            }
            Effect::Alert(alert) => {
                let (kind, detail) = words(alert);
                history::alert(connection, key, (kind, detail), &now).await?;
            }
            Effect::RequestConfirm => self.request_confirm(batch)?,
            Effect::Refund(_) | Effect::RepeatRefund => self.request_refund(batch)?,
            Effect::Publish(announcement) => self.publish(batch, announcement)?,
            Effect::AdoptKey | Effect::FreeKey => {}
        }
        Ok(())
    }

    fn request_confirm(&self, batch: &mut Batch) -> Result<(), sqlx::Error> {
        let record = self.after;
        let approve_by = record.approve_deadline.as_deref().map(read).transpose()?;
        let (Some(payment_id), Some(payment_key), Some(approve_by)) =
            (record.payment_id()?, record.payment_key.clone(), approve_by)
        else {
            return Err(unreadable(format!("{} has no payment to confirm", record.key())));
        };
        let command = PaymentConfirmRequested {
            member_id: record.member_id,
            payment_id,
            payment_key,
            order_id: record.id()?,
            order_name: order_name(&record.shown.room_name),
            total_amount: record.shown.total_amount,
            currency: KRW.to_owned(),
            approve_by,
        };
        self.add(batch, &command)
    }

    fn request_refund(&self, batch: &mut Batch) -> Result<(), sqlx::Error> {
        let record = self.after;
        let reason_code = match record.refund_reason.as_deref() {
            Some("CUSTOMER") => RefundReason::Customer,
            Some("CMS_APPROVE_FAILED") => RefundReason::CmsApproveFailed,
            Some("LATE_APPROVAL") => RefundReason::LateApproval,
            Some("OPERATOR") => RefundReason::Operator,
            other => return Err(unreadable(other.unwrap_or_default())),
        };
        let own_words = match reason_code {
            RefundReason::Customer => "cancelled by the customer",
            RefundReason::CmsApproveFailed => "the lodging could not fix the booking",
            RefundReason::LateApproval => "the payment came after the reservation had ended",
            RefundReason::Operator => "given up by an operator",
        };
        let is_customer = reason_code == RefundReason::Customer;
        let reason = record.cancel_reason.as_deref().filter(|text| is_customer && !text.is_empty());
        let (Some(refund_id), Some(payment_id), Some(cancel_amount)) =
            (record.refund()?, record.payment_id()?, record.refund_amount)
        else {
            return Err(unreadable(format!("{} has no payment to return", record.key())));
        };
        let command = PaymentCancelRequested {
            refund_id,
            payment_id,
            order_id: record.id()?,
            member_id: record.member_id,
            cancel_amount,
            reason: reason.unwrap_or(own_words).to_owned(),
            reason_code,
        };
        self.add(batch, &command)
    }

    fn publish(&self, batch: &mut Batch, announcement: Announcement) -> Result<(), sqlx::Error> {
        let record = self.after;
        let shown = record.shown.clone();
        let (check_in, check_out) = (record.check_in()?, record.check_out()?);
        let event = ReservationEvent {
            kind: kind(announcement),
            reservation_id: record.id()?,
            member_id: record.member_id,
            status: shown.status,
            refund_status: shown.refund_status,
            place_id: shown.place_id,
            place_name: shown.place_name,
            room_id: shown.room_id,
            room_name: shown.room_name,
            check_in_date: check_in,
            check_out_date: check_out,
            nights: nights(check_in, check_out),
            total_amount: shown.total_amount,
            currency: shown.currency,
            client_name: shown.client_name,
            client_phone_number: shown.client_phone_number,
            reason_code: shown.failure_code,
            reason: record.cancel_reason.clone().or(shown.failure_message),
        };
        self.add(batch, &event)
    }

    fn add<P: Payload>(&self, batch: &mut Batch, payload: &P) -> Result<(), sqlx::Error> {
        let draft = Draft {
            key: self.after.key(),
            correlation_id: self.after.key(),
            causation_id: self.known.message.map(|message| message.id),
            member_id: Some(self.after.member_id),
            payload,
        };
        batch.add(&draft).map(drop)
    }
}

/// The name of an order: the room's, as long as the payment gateway takes it.
pub(super) fn order_name(room: &str) -> String {
    room.chars().take(LONGEST_NAME).collect()
}

fn nights(check_in: jiff::civil::Date, check_out: jiff::civil::Date) -> i64 {
    i64::from(check_in.until(check_out).map_or(0, |span| span.get_days()))
}

fn kind(announcement: Announcement) -> ReservationEventKind {
    match announcement {
        Announcement::Requested => ReservationEventKind::Requested,
        Announcement::Created => ReservationEventKind::Created,
        Announcement::Approved => ReservationEventKind::Approved,
        Announcement::Confirmed => ReservationEventKind::Confirmed,
        Announcement::CancellationRequested => ReservationEventKind::CancellationRequested,
        Announcement::Cancelled => ReservationEventKind::Cancelled,
        Announcement::Failed => ReservationEventKind::Failed,
        Announcement::Expired => ReservationEventKind::Expired,
    }
}

fn words(alert: Alert) -> (&'static str, &'static str) {
    match alert {
        Alert::PaymentUnknown => {
            ("PAYMENT_UNKNOWN", "payment knows no payment of this reservation")
        }
        Alert::ResultMismatch => ("RESULT_MISMATCH", "an approval names another payment or amount"),
        Alert::Contradiction => {
            ("CONTRADICTION", "payment says something else than it said before")
        }
        Alert::RefundFailed => ("REFUND_FAILED", "the payment gateway refuses to return the money"),
        Alert::CancelledElsewhere => {
            ("CANCELLED_ELSEWHERE", "the payment was cancelled outside this platform")
        }
    }
}
