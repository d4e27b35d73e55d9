//! Commands to payment and its answers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Payload;
use crate::topic::Topic;

/// The command to confirm a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentConfirmRequested {
    /// Whose payment it is.
    pub member_id: i64,
    /// The payment.
    pub payment_id: Uuid,
    /// Its key at the payment gateway.
    pub payment_key: String,
    /// The reservation it is for.
    pub order_id: Uuid,
    /// What is paid, for people.
    pub order_name: String,
    /// How much.
    pub total_amount: i64,
    /// `KRW`
    pub currency: String,
    /// The last moment for a confirm.
    pub approve_by: Timestamp,
}

/// How a confirm ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConfirmOutcome {
    /// The money was taken.
    Approved,
    /// It was not, and will not be.
    Rejected,
    /// Not known yet; a final result follows.
    Pending,
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// A code for programs.
    pub code: String,
    /// A text for people.
    pub message: String,
    /// Whether the same may succeed later.
    pub retryable: bool,
}

/// What became of a confirm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentConfirmResult {
    /// The name of the status.
    pub status: String,
    /// The same as a number, in the manner of HTTP.
    pub value: i64,
    /// The same as a code.
    pub code: String,
    /// How it ended.
    pub result: ConfirmOutcome,
    /// The payment.
    pub payment_id: Uuid,
    /// The reservation it is for.
    pub order_id: Uuid,
    /// Whose payment it is.
    pub member_id: i64,
    /// The key that the command named, or under which the money was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_key: Option<String>,
    /// How much.
    pub total_amount: i64,
    /// How it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// When the money was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Why money is to be returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefundReason {
    /// The member cancelled.
    Customer,
    /// The CMS would not fix the booking.
    CmsApproveFailed,
    /// The money came after the reservation had ended.
    LateApproval,
    /// An operator said so.
    Operator,
}

/// The command to return a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentCancelRequested {
    /// The refund; the same in every re-send.
    pub refund_id: Uuid,
    /// The payment.
    pub payment_id: Uuid,
    /// The reservation it was for.
    pub order_id: Uuid,
    /// Whose payment it is.
    pub member_id: i64,
    /// How much.
    pub cancel_amount: i64,
    /// Why, for people.
    pub reason: String,
    /// Why, for programs.
    pub reason_code: RefundReason,
}

/// How a refund ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CancelOutcome {
    /// The money was returned.
    Cancelled,
    /// None had been taken.
    NothingToRefund,
    /// It was refused.
    Rejected,
    /// Not known yet; a final result follows.
    Pending,
}

/// What became of a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentCancelResult {
    /// The name of the status.
    pub status: String,
    /// The same as a number, in the manner of HTTP.
    pub value: i64,
    /// The same as a code.
    pub code: String,
    /// How it ended.
    pub result: CancelOutcome,
    /// The refund.
    pub refund_id: Uuid,
    /// The payment.
    pub payment_id: Uuid,
    /// The reservation it was for.
    pub order_id: Uuid,
    /// How much was returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_amount: Option<i64>,
    /// How much of the payment is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance_amount: Option<i64>,
    /// The cancel at the payment gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_key: Option<String>,
    /// When the money was returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canceled_at: Option<Timestamp>,
    /// Why it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// Payloads that are the only type of their topic.
macro_rules! single {
    ($($payload:ident in $topic:ident;)*) => {
        $(impl Payload for $payload {
            const TOPIC: Topic = Topic::$topic;

            fn kind(&self) -> &'static str {
                stringify!($payload)
            }

            fn of_kind(self, kind: &str) -> Option<Self> {
                (kind == self.kind()).then_some(self)
            }
        })*
    };
}

single! {
    PaymentConfirmRequested in PaymentConfirmRequest;
    PaymentConfirmResult in PaymentConfirmResponse;
    PaymentCancelRequested in PaymentCancelRequest;
    PaymentCancelResult in PaymentCancelResponse;
}
