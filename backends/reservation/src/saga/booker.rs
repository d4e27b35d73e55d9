//! What the booker asks for: to take the money (RS-04), and to cancel (RS-05).

use ::reservation::machine::{Approval, Event};
use serde::Deserialize;
use service::check::Check;
use service::clock::after;
use service::problem::Problem;
use utoipa::ToSchema;
use uuid::Uuid;

use super::change::{Actor, Change, Known};
use super::{Changed, Failure, Saga};
use crate::store::record::Record;

const LONGEST_KEY: usize = 200;

/// A payment that the booker has authenticated.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApprovePayment {
    #[schema(value_type = String, required = true, format = "uuid")]
    payment_id: Option<String>,
    /// What the payment gateway called it.
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    payment_key: Option<String>,
    #[schema(value_type = i64, required = true, minimum = 1, example = 220_000)]
    amount: Option<i64>,
}

/// The same, as it can be used.
#[derive(Debug)]
pub(crate) struct Payment {
    id: Uuid,
    key: String,
    amount: i64,
}

impl ApprovePayment {
    /// Checks every member at once.
    pub(crate) fn check(self) -> Result<Payment, Problem> {
        let mut check = Check::new();
        let id = check.required("paymentId", self.payment_id.as_deref());
        let id = check.parse("paymentId", id, "a UUID", |text| Uuid::try_parse(text).ok());
        let key = check.text("paymentKey", self.payment_key.as_deref(), 1..=LONGEST_KEY);
        let amount = check.required("amount", self.amount);
        let amount = check.within("amount", amount, 1..=i64::MAX);
        let payment = (|| Some(Payment { id: id?, key: key?, amount: amount? }))();
        check.finish_with(payment)
    }
}

impl Saga {
    /// T06
    pub(crate) async fn approve(
        &self,
        found: Record,
        payment: &Payment,
    ) -> Result<Changed, Failure> {
        let reservation_id = found.key().to_owned();
        self.change(Change {
            reservation_id: &reservation_id,
            event: &|record, now| {
                let least = after(now, self.timing.min_hold_left);
                Ok(Some(Event::Approve(Approval {
                    is_our_payment: record.payment_id()? == Some(payment.id),
                    is_our_amount: record.shown.total_amount == payment.amount,
                    is_known_key: record.payment_key.as_ref() == Some(&payment.key),
                    is_hold_long: record.hold_expires_at()?.is_some_and(|end| end >= least),
                })))
            },
            found: Some(Box::new(found)),
            known: Known { actor: Actor::Booker, key: Some(&payment.key), ..Known::default() },
        })
        .await
    }

    /// T08, T13, T17, T18
    pub(crate) async fn cancel(
        &self,
        reservation_id: &str,
        reason: Option<&str>,
    ) -> Result<Changed, Failure> {
        self.cancel_as(Actor::Booker, reservation_id, reason).await
    }

    /// The same by an operator, on the booker's behalf.
    pub(crate) async fn cancel_for_booker(
        &self,
        reservation_id: &str,
        note: &str,
    ) -> Result<Changed, Failure> {
        self.cancel_as(Actor::Operator, reservation_id, Some(note)).await
    }

    async fn cancel_as(
        &self,
        actor: Actor,
        reservation_id: &str,
        reason: Option<&str>,
    ) -> Result<Changed, Failure> {
        let today = self.clock.today();
        let changed = self
            .change(Change {
                reservation_id,
                event: &move |record, _| {
                    Ok(Some(Event::Cancel { is_in_window: today < record.check_in()? }))
                },
                found: None,
                known: Known { actor, note: reason, ..Known::default() },
            })
            .await?;
        self.work.notify_one();
        Ok(changed)
    }
}
