//! What payment says, in messages and when it is asked (T09–T14, T20–T30).

use ::reservation::machine::{Event, Seen};
use jiff::Timestamp;
use messaging::payload::{
    CancelOutcome, ConfirmOutcome, PaymentCancelResult, PaymentConfirmResult,
};
use serde::{Deserialize, Serialize};
use service::stored::instant;
use uuid::Uuid;

use super::change::{Actor, Change, Changed, Known, Message, note_message};
use super::{Failure, Saga};
use crate::payments::{Payment, Status};
use crate::store::history;
use crate::store::record::Record;
use crate::store::steps::{self, Claim, Kind};

/// A result, as it is kept until the end of a create (T30).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Said {
    Confirm(PaymentConfirmResult),
    Cancel(PaymentCancelResult),
}

impl Said {
    pub(crate) fn order(&self) -> Uuid {
        match self {
            Self::Confirm(result) => result.order_id,
            Self::Cancel(result) => result.order_id,
        }
    }

    fn key(&self) -> Option<&str> {
        match self {
            Self::Confirm(result) => result.payment_key.as_deref(),
            Self::Cancel(_) => None,
        }
    }

    fn refusal(&self) -> Option<(&str, &str)> {
        let (code, failure) = match self {
            Self::Confirm(result) => (&result.code, result.failure.as_ref()),
            Self::Cancel(result) => (&result.code, result.failure.as_ref()),
        };
        failure.map(|failure| (code.as_str(), failure.message.as_str()))
    }

    fn payment(&self) -> Option<Payment> {
        let Self::Confirm(result) = self else { return None };
        (result.result == ConfirmOutcome::Approved).then(|| Payment {
            id: result.payment_id,
            order_name: String::new(),
            total_amount: result.total_amount,
            status: Status::Done,
            key: result.payment_key.clone(),
            method: result.method.clone(),
            approved_at: result.approved_at,
            failure: None,
        })
    }

    /// What it means for a reservation.
    fn event(&self, record: &Record) -> Result<Event, sqlx::Error> {
        Ok(match self {
            Self::Confirm(result) => match result.result {
                ConfirmOutcome::Approved => Event::Approved {
                    is_ours: record.payment_id()? == Some(result.payment_id)
                        && record.shown.total_amount == result.total_amount,
                },
                ConfirmOutcome::Rejected => {
                    let is_our_key =
                        result.payment_key.is_some() && result.payment_key == record.payment_key;
                    Event::Rejected { is_our_key }
                }
                ConfirmOutcome::Pending => Event::Pending,
            },
            Self::Cancel(result) => {
                let is_ours = record.refund()? == Some(result.refund_id);
                match result.result {
                    CancelOutcome::Cancelled => {
                        Event::Returned { is_ours, is_all: result.balance_amount == Some(0) }
                    }
                    CancelOutcome::NothingToRefund => Event::NothingToRefund { is_ours },
                    CancelOutcome::Rejected => Event::RefundRejected { is_ours },
                    CancelOutcome::Pending => Event::RefundPending,
                }
            }
        })
    }
}

impl Saga {
    /// Deals with a result; the messages it led to, and the reservation it is about.
    pub(crate) async fn hear(&self, message: &Message<'_>) -> Result<Vec<Uuid>, Failure> {
        let known = Known { message: Some(message), ..Known::default() };
        match self.take_in(message.said, known).await {
            Ok(changed) => Ok(changed.produced),
            Err(Failure::Unknown) => self.hear_of_nobody(message).await,
            Err(failure) => Err(failure),
        }
    }

    /// Leaves a result for later, as a step of its reservation.
    pub(crate) async fn keep(&self, message: &Message<'_>) -> Result<(), Failure> {
        let content = serde_json::to_string(message.said)?;
        let now = self.clock.now();
        let mut transaction = self.database.write().await?;
        let (reservation_id, at) = (message.said.order().to_string(), instant(now));
        let step = (Kind::ApplyResult, content.as_str());
        steps::open(&mut transaction, &reservation_id, &[step], &at).await?;
        note_message(&mut transaction, message, &[], now).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Deals with a result that was kept (T30).
    pub(super) async fn apply_kept(
        &self,
        content: &str,
        claim: Claim<'_>,
    ) -> Result<Changed, Failure> {
        let said: Said = serde_json::from_str(content)?;
        let known = Known { step: Some(claim), ..Known::default() };
        self.take_in(&said, known).await
    }

    async fn take_in(&self, said: &Said, known: Known<'_>) -> Result<Changed, Failure> {
        let payment = said.payment();
        let known = Known {
            actor: Actor::Payment,
            key: said.key(),
            refusal: said.refusal(),
            payment: payment.as_ref(),
            ..known
        };
        let event = |record: &Record, _: Timestamp| said.event(record).map(Some);
        let reservation_id = said.order().to_string();
        let change = Change { reservation_id: &reservation_id, event: &event, found: None, known };
        self.change(change).await
    }

    /// a result for a reservation that nobody knows.
    async fn hear_of_nobody(&self, message: &Message<'_>) -> Result<Vec<Uuid>, Failure> {
        let now = self.clock.now();
        let detail = format!("message {} is about a reservation that nobody knows", message.id);
        let mut transaction = self.database.write().await?;
        let alert = ("UNKNOWN_RESERVATION", detail.as_str());
        let order = message.said.order().to_string();
        history::alert(&mut transaction, &order, alert, &instant(now)).await?;
        note_message(&mut transaction, message, &[], now).await?;
        transaction.commit().await?;
        Ok(Vec::new())
    }

    /// T14, T27: asks payment.
    pub(super) async fn ask_payment(&self, reservation_id: &str) -> Result<(), Failure> {
        let found = match self.payments.find(reservation_id).await {
            Ok(found) => Ok(found),
            Err(error) => {
                tracing::warn!(%error, reservation_id, "payment does not say what became of it");
                Err(())
            }
        };
        let payment = found.as_ref().ok().and_then(Option::as_ref);
        let event = |record: &Record, _: Timestamp| {
            let seen = match (&found, payment) {
                (Err(()), _) => Seen::NoAnswer,
                (Ok(_), None) => Seen::NotFound,
                (Ok(_), Some(payment)) => {
                    payment.seen(record.payment_id()?, record.shown.total_amount)
                }
            };
            Ok(Some(Event::Seen(seen)))
        };
        let key = payment.and_then(|payment| payment.key.as_deref());
        let refusal = payment.and_then(|payment| payment.failure.as_ref());
        let refusal = refusal.map(|failure| (failure.code.as_str(), failure.message.as_str()));
        let known = Known { payment, key, refusal, ..Known::default() };
        let change = Change { reservation_id, event: &event, found: None, known };
        let changed = self.change(change).await?;
        self.work.notify_one();
        tracing::debug!(reservation_id, rows = ?changed.decision.rows, "payment was asked");
        Ok(())
    }
}
