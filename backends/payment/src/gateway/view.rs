//! A payment as the payment gateway tells of it.

use jiff::Timestamp;
use payment::machine::{Seen, Status};
use serde::Deserialize;
use serde_json::{Map, Value};
use service::stored::instant;

use super::{Order, Refusal};
use crate::store::CancelRow;

/// Members that are kept as they were told and shown again.
const DETAILS: [&str; 15] = [
    "useEscrow",
    "cultureExpense",
    "isPartialCancelable",
    "card",
    "easyPay",
    "virtualAccount",
    "transfer",
    "mobilePhone",
    "giftCertificate",
    "cashReceipt",
    "cashReceipts",
    "discount",
    "receipt",
    "checkout",
    "taxExemptionAmount",
];

/// What the payment gateway knows of a payment.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) seen: Seen,
    pub(crate) payment_key: String,
    pub(crate) balance: i64,
    pub(crate) method: Option<String>,
    pub(crate) approved_at: Option<Timestamp>,
    pub(crate) last_transaction_key: Option<String>,
    /// A JSON object.
    pub(crate) details: String,
    /// What was returned, the earliest first, each still without its refund.
    pub(crate) cancels: Vec<CancelRow>,
    pub(crate) failure: Option<Refusal>,
    order_id: String,
    total: i64,
}

/// The part of the payment gateway's object that is read here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    payment_key: String,
    order_id: String,
    status: Status,
    total_amount: i64,
    balance_amount: i64,
    method: Option<String>,
    approved_at: Option<Timestamp>,
    last_transaction_key: Option<String>,
    failure: Option<Refusal>,
    cancels: Option<Vec<ToldCancel>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToldCancel {
    cancel_amount: i64,
    #[serde(default)]
    cancel_reason: String,
    #[serde(default)]
    tax_free_amount: i64,
    #[serde(default)]
    tax_exemption_amount: i64,
    #[serde(default)]
    refundable_amount: i64,
    canceled_at: Timestamp,
    transaction_key: String,
    receipt_key: Option<String>,
    cancel_status: Option<String>,
    cancel_request_id: Option<String>,
}

impl View {
    /// Reads an answer; nothing when it is not a payment.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_slice(text).ok()?;
        let told: Told = serde_json::from_value(Value::Object(object.clone())).ok()?;
        let details: Map<_, _> =
            object.into_iter().filter(|(name, _)| DETAILS.contains(&name.as_str())).collect();
        let cancels = told.cancels.unwrap_or_default();
        Some(Self {
            seen: seen(told.status, told.balance_amount),
            payment_key: told.payment_key,
            balance: told.balance_amount,
            method: told.method,
            approved_at: told.approved_at,
            last_transaction_key: told.last_transaction_key,
            details: serde_json::to_string(&details).ok()?,
            cancels: cancels.into_iter().map(ToldCancel::into_row).collect(),
            failure: told.failure,
            order_id: told.order_id,
            total: told.total_amount,
        })
    }

    /// Whether it is the payment that was asked about.
    pub(super) fn is_of(&self, order: &Order) -> bool {
        let is_of = self.order_id == order.id && self.total == order.total;
        if !is_of {
            tracing::error!(
                order = order.id,
                told = self.order_id,
                total = self.total,
                "the payment gateway tells of another order or amount"
            );
        }
        is_of
    }
}

impl ToldCancel {
    fn into_row(self) -> CancelRow {
        CancelRow {
            refund_id: String::new(),
            cancel_amount: self.cancel_amount,
            cancel_reason: self.cancel_reason,
            tax_free_amount: self.tax_free_amount,
            tax_exemption_amount: self.tax_exemption_amount,
            refundable_amount: self.refundable_amount,
            canceled_at: instant(self.canceled_at),
            transaction_key: self.transaction_key,
            receipt_key: self.receipt_key,
            cancel_status: self.cancel_status.unwrap_or_else(|| "DONE".to_owned()),
            cancel_request_id: self.cancel_request_id,
        }
    }
}

fn seen(status: Status, balance: i64) -> Seen {
    match status {
        Status::Ready | Status::InProgress | Status::WaitingForDeposit => Seen::Open,
        Status::Done => Seen::Done,
        Status::PartialCanceled => Seen::PartlyReturned { balance },
        Status::Canceled => Seen::Returned,
        Status::Aborted => Seen::Aborted,
        Status::Expired => Seen::Expired,
    }
}
