//! A payment as the payment gateway tells of it.

use jiff::Timestamp;
use payment::machine::Seen;
use payment::pg::{PgCancel, PgPayment, PgStatus};
use serde_json::{Map, Value};
use service::stored::instant;

use super::Refusal;
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
    pub(crate) method: Option<String>,
    pub(crate) approved_at: Option<Timestamp>,
    pub(crate) last_transaction_key: Option<String>,
    /// A JSON object.
    pub(crate) details: String,
    /// What was returned, the earliest first, each still without its refund.
    pub(crate) cancels: Vec<CancelRow>,
    pub(crate) failure: Option<Refusal>,
}

impl View {
    pub(super) fn new(payment: PgPayment) -> Self {
        let others = payment.others.into_iter();
        let details: Map<_, _> =
            others.filter(|(name, _)| DETAILS.contains(&name.as_str())).collect();
        Self {
            seen: seen(payment.status, payment.balance_amount),
            payment_key: payment.payment_key,
            method: payment.method,
            approved_at: payment.approved_at,
            last_transaction_key: payment.last_transaction_key,
            details: Value::Object(details).to_string(),
            cancels: payment.cancels.into_iter().map(row).collect(),
            failure: payment.failure.map(Refusal::from),
        }
    }
}

fn row(cancel: PgCancel) -> CancelRow {
    CancelRow {
        refund_id: String::new(),
        cancel_amount: cancel.cancel_amount,
        cancel_reason: cancel.cancel_reason,
        tax_free_amount: cancel.tax_free_amount,
        tax_exemption_amount: cancel.tax_exemption_amount,
        refundable_amount: cancel.refundable_amount,
        canceled_at: instant(cancel.canceled_at),
        transaction_key: cancel.transaction_key,
        receipt_key: cancel.receipt_key,
        cancel_status: cancel.cancel_status,
        cancel_request_id: cancel.cancel_request_id,
    }
}

fn seen(status: PgStatus, balance: i64) -> Seen {
    match status {
        PgStatus::Ready | PgStatus::InProgress | PgStatus::WaitingForDeposit => Seen::Open,
        PgStatus::Done => Seen::Done,
        PgStatus::PartialCanceled => Seen::PartlyReturned { balance },
        PgStatus::Canceled => Seen::Returned,
        PgStatus::Aborted => Seen::Aborted,
        PgStatus::Expired => Seen::Expired,
    }
}
