//! Payments as their owner sees them: the payment gateway's object, and what is ours.

use payment::machine::Status;
use serde::Serialize;
use service::problem::Problem;
use service::stored::{read_code, read_instant};
use utoipa::ToSchema;

use crate::details::Details;
use crate::store::{CancelRow, Stored};

/// The version of the payment gateway's API whose object this is.
const VERSION: &str = "2022-11-16";
/// Payments that repeat, or with a brand's wallet, are not offered.
const TYPE: &str = "NORMAL";
const COUNTRY: &str = "KR";

/// A payment. The last four members are ours; the others are those of the payment gateway.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentDetail {
    #[schema(example = "2022-11-16")]
    version: &'static str,
    /// Null until the client has authenticated.
    payment_key: Option<String>,
    #[schema(example = "NORMAL")]
    r#type: &'static str,
    order_id: String,
    order_name: String,
    /// The merchant.
    m_id: String,
    #[schema(example = "KRW")]
    currency: String,
    #[schema(example = "카드")]
    method: Option<String>,
    #[schema(example = 220_000)]
    total_amount: i64,
    /// What can still be returned.
    balance_amount: i64,
    status: Status,
    #[schema(format = DateTime)]
    requested_at: String,
    /// Null until the money was taken.
    #[schema(format = DateTime)]
    approved_at: Option<String>,
    last_transaction_key: Option<String>,
    supplied_amount: i64,
    vat: i64,
    tax_free_amount: i64,
    tax_exemption_amount: i64,
    /// What was returned, the earliest first; null when nothing was.
    cancels: Option<Vec<CancelDetail>>,
    #[serde(flatten)]
    details: Details,
    /// Always null: who knows it could forge a deposit.
    secret: Option<String>,
    #[schema(example = "KR")]
    country: &'static str,
    /// Why the last attempt to take the money was refused.
    failure: Option<Failure>,
    metadata: Metadata,
    #[schema(format = "uuid")]
    payment_id: String,
    member_id: i64,
    /// The same as the order.
    reservation_id: String,
    /// Until when the client can authenticate.
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Money that was returned.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelDetail {
    cancel_amount: i64,
    cancel_reason: String,
    tax_free_amount: i64,
    tax_exemption_amount: i64,
    /// What could still be returned after it.
    refundable_amount: i64,
    #[schema(format = DateTime)]
    canceled_at: String,
    transaction_key: String,
    receipt_key: Option<String>,
    #[schema(example = "DONE")]
    cancel_status: String,
    cancel_request_id: Option<String>,
    /// Ours: the request that led to it.
    #[schema(format = "uuid")]
    refund_id: String,
}

/// Why money was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Failure {
    #[schema(example = "REJECT_CARD_PAYMENT")]
    code: String,
    message: String,
}

/// What we gave the payment gateway to keep.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    reservation_id: String,
    member_id: i64,
}

impl PaymentDetail {
    /// Shows what is stored; 500 when it cannot be read.
    pub(crate) fn new(Stored { payment: row, cancels }: Stored) -> Result<Self, Problem> {
        let cancels: Vec<_> =
            cancels.into_iter().map(CancelDetail::new).collect::<Result<_, _>>()?;
        Ok(Self {
            version: VERSION,
            r#type: TYPE,
            country: COUNTRY,
            secret: None,
            status: read_code(&row.status)?,
            details: serde_json::from_str(&row.details).map_err(Problem::internal)?,
            requested_at: read_instant(&row.requested_at)?,
            approved_at: row.approved_at.as_deref().map(read_instant).transpose()?,
            expires_at: read_instant(&row.expires_at)?,
            cancels: Some(cancels).filter(|cancels| !cancels.is_empty()),
            failure: row
                .failure_code
                .map(|code| Failure { code, message: row.failure_message.unwrap_or_default() }),
            metadata: Metadata { reservation_id: row.order_id.clone(), member_id: row.member_id },
            reservation_id: row.order_id.clone(),
            payment_key: row.payment_key,
            order_id: row.order_id,
            order_name: row.order_name,
            m_id: row.m_id,
            currency: row.currency,
            method: row.method,
            total_amount: row.total_amount,
            balance_amount: row.balance_amount,
            last_transaction_key: row.last_transaction_key,
            supplied_amount: row.supplied_amount,
            vat: row.vat,
            tax_free_amount: row.tax_free_amount,
            tax_exemption_amount: row.tax_exemption_amount,
            payment_id: row.payment_id,
            member_id: row.member_id,
        })
    }
}

impl CancelDetail {
    fn new(row: CancelRow) -> Result<Self, Problem> {
        Ok(Self {
            canceled_at: read_instant(&row.canceled_at)?,
            cancel_amount: row.cancel_amount,
            cancel_reason: row.cancel_reason,
            tax_free_amount: row.tax_free_amount,
            tax_exemption_amount: row.tax_exemption_amount,
            refundable_amount: row.refundable_amount,
            transaction_key: row.transaction_key,
            receipt_key: row.receipt_key,
            cancel_status: row.cancel_status,
            cancel_request_id: row.cancel_request_id,
            refund_id: row.refund_id,
        })
    }
}
