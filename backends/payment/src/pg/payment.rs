//! A payment as the payment gateway tells of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service::code::Code;
use utoipa::ToSchema;

/// The members that are read here; the others are kept as they were told.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PgPayment {
    /// The attempt at paying.
    pub payment_key: String,
    /// The order it is for.
    pub order_id: String,
    /// How far it is.
    pub status: PgStatus,
    /// What it is about.
    pub total_amount: i64,
    /// What can still be returned.
    pub balance_amount: i64,
    /// Which way the client paid.
    pub method: Option<String>,
    /// When the money was taken.
    pub approved_at: Option<Timestamp>,
    /// The last movement of money.
    pub last_transaction_key: Option<String>,
    /// What was returned, the earliest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub cancels: Vec<PgCancel>,
    /// Why the last confirm was refused.
    pub failure: Option<PgFailure>,
    /// Everything else.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// State of a payment at the payment gateway.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PgStatus {
    /// The client has to authenticate.
    Ready,
    /// The client has authenticated.
    InProgress,
    /// A virtual account waits for money.
    WaitingForDeposit,
    /// The money was taken.
    Done,
    /// All of it was returned.
    Canceled,
    /// A part of it was returned.
    PartialCanceled,
    /// It was refused.
    Aborted,
    /// Time ran out.
    Expired,
}

/// Money that was returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PgCancel {
    /// How much.
    pub cancel_amount: i64,
    /// Why.
    #[serde(default)]
    pub cancel_reason: String,
    /// How much of it is free of tax.
    #[serde(default)]
    pub tax_free_amount: i64,
    /// How much of it is exempt from tax.
    #[serde(default)]
    pub tax_exemption_amount: i64,
    /// What could still be returned after it.
    #[serde(default)]
    pub refundable_amount: i64,
    /// When.
    pub canceled_at: Timestamp,
    /// The movement of money.
    pub transaction_key: String,
    /// Its receipt.
    pub receipt_key: Option<String>,
    /// How far it is.
    #[serde(default = "done")]
    pub cancel_status: String,
    /// The payment gateway's id of a cancel that takes time.
    pub cancel_request_id: Option<String>,
}

/// Why a confirm was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PgFailure {
    /// For a program.
    pub code: String,
    /// For a person.
    pub message: String,
}

impl Code for PgStatus {
    const ALL: &'static [Self] = &[
        Self::Ready,
        Self::InProgress,
        Self::WaitingForDeposit,
        Self::Done,
        Self::Canceled,
        Self::PartialCanceled,
        Self::Aborted,
        Self::Expired,
    ];

    fn code(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::InProgress => "IN_PROGRESS",
            Self::WaitingForDeposit => "WAITING_FOR_DEPOSIT",
            Self::Done => "DONE",
            Self::Canceled => "CANCELED",
            Self::PartialCanceled => "PARTIAL_CANCELED",
            Self::Aborted => "ABORTED",
            Self::Expired => "EXPIRED",
        }
    }
}

impl PgPayment {
    /// How much was returned so far.
    pub fn returned(&self) -> i64 {
        self.cancels.iter().map(|cancel| cancel.cancel_amount).sum()
    }
}

fn done() -> String {
    "DONE".to_owned()
}

fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use service::testing::check_codes;

    use super::*;

    #[test]
    fn stored_codes_are_those_of_the_api() {
        check_codes::<PgStatus>();
    }
}
