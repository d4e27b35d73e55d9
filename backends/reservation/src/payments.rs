//! The payment service, as this one asks it.

use ::reservation::machine::Seen;
use serde::Deserialize;
use serde_json::{Value, json};
use service::clock::Clock;
use service::envelope::Payload;
use service::keys::KeySet;
use service::peer::{Limits, Peer, PeerError, Retry};
use service::timing::Timing;
use uuid::Uuid;

/// The payment service; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Payments(Peer);

/// What it says of a payment.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payment {
    #[serde(rename = "paymentId")]
    pub(crate) id: Uuid,
    pub(crate) order_name: String,
    pub(crate) total_amount: i64,
    pub(crate) status: Status,
    #[serde(rename = "paymentKey")]
    pub(crate) key: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) approved_at: Option<jiff::Timestamp>,
    pub(crate) failure: Option<Failure>,
}

/// Why the money was not taken.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Failure {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Status {
    /// Nobody has paid.
    Ready,
    /// The money is being taken.
    InProgress,
    /// Somebody has to transfer it.
    WaitingForDeposit,
    /// It is taken.
    Done,
    /// All of it was returned.
    Canceled,
    /// A part of it was.
    PartialCanceled,
    /// It was not taken.
    Aborted,
    /// Nobody paid in time.
    Expired,
}

/// An order that is to be paid.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) member_id: i64,
    pub(crate) amount: i64,
    pub(crate) check_in_date: &'a str,
}

/// What becomes of a refund that an operator has settled by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Payment has marked it and tells so by a message.
    ByPayment,
    /// Payment knows no such refund.
    Unknown,
    /// Payment says that it cannot be settled.
    Refused,
}

impl Payments {
    /// The payment service at `base`.
    pub(crate) fn new(
        base: &str,
        keys: KeySet,
        clock: &Clock,
        timing: &Timing,
    ) -> Result<Self, PeerError> {
        let Timing { payment_timeout: call, payment_retries: retries, .. } = *timing;
        let peer = Peer::new("payment", base, Limits { connect: call, call, retries })?;
        Ok(Self(peer.with_proof(crate::NAME, keys, clock.clone())))
    }

    /// Makes the payment of an order, or finds the one it has.
    pub(crate) async fn create(&self, order: &Order<'_>) -> Result<Payment, PeerError> {
        let body = json!({
            "orderId": order.id,
            "orderName": order.name,
            "memberId": order.member_id,
            "totalAmount": order.amount,
            "currency": "KRW",
            "metadata": { "checkInDate": order.check_in_date },
        });
        let made: Payload<Payment> = self.0.post("/v1/payments", &body, Retry::Idempotent).await?;
        Ok(made.payload)
    }

    /// The payment of an order; nothing when it has none.
    pub(crate) async fn find(&self, order_id: &str) -> Result<Option<Payment>, PeerError> {
        let target = format!("/v1/payments/orders/{order_id}");
        match self.0.get::<Payload<Payment>>(&target).await {
            Ok(found) => Ok(Some(found.payload)),
            Err(PeerError::Refused { code, .. }) if code == "NOT_FOUND_PAYMENT" => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Marks a refund as settled by hand (RF9).
    pub(crate) async fn settle(&self, refund_id: Uuid, note: &str) -> Result<Settled, PeerError> {
        let target = format!("/internal/v1/refunds/{refund_id}/settle");
        let body = json!({ "note": note });
        match self.0.post::<_, Value>(&target, &body, Retry::Never).await {
            Ok(_) => Ok(Settled::ByPayment),
            Err(PeerError::Refused { status, code, .. })
                if status == 404 && code != "NOT_FOUND" =>
            {
                Ok(Settled::Unknown)
            }
            Err(PeerError::Refused { code, .. }) if code == "INVALID_STATE" => Ok(Settled::Refused),
            Err(error) => Err(error),
        }
    }
}

impl Payment {
    /// What it means for the reservation with this payment and amount.
    pub(crate) fn seen(&self, payment_id: Option<Uuid>, amount: i64) -> Seen {
        match self.status {
            Status::Done | Status::PartialCanceled => Seen::Charged {
                is_ours: payment_id == Some(self.id) && amount == self.total_amount,
            },
            Status::Aborted | Status::Expired => Seen::Refused,
            Status::Canceled => Seen::Returned,
            Status::Ready | Status::InProgress | Status::WaitingForDeposit => Seen::Open,
        }
    }
}
