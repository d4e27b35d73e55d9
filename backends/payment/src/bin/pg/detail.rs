//! A payment as the payment gateway shows it.

use payment::pg::PgStatus;
use serde::Serialize;
use serde_json::{Map, Value};
use service::stored::read_instant;
use utoipa::ToSchema;

use crate::error::Told;
use crate::store::{Movement, Row};

/// The version of the API whose object this is.
const VERSION: &str = "2022-11-16";
/// Payments that repeat, or with a brand's wallet, are not offered.
const TYPE: &str = "NORMAL";
const CARD: &str = "카드";
const CURRENCY: &str = "KRW";
const COUNTRY: &str = "KR";
/// A price holds a tenth of itself as tax.
const TAXED_PARTS: i64 = 11;

/// A payment.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Payment)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Detail {
    #[schema(example = "2022-11-16")]
    version: &'static str,
    pub(crate) payment_key: String,
    #[schema(example = "NORMAL")]
    r#type: &'static str,
    pub(crate) order_id: String,
    order_name: String,
    /// The merchant.
    m_id: String,
    #[schema(example = "KRW")]
    currency: &'static str,
    #[schema(example = "카드")]
    method: Option<&'static str>,
    total_amount: i64,
    /// What can still be returned.
    balance_amount: i64,
    status: PgStatus,
    #[schema(format = DateTime)]
    requested_at: String,
    /// Null until the money was taken.
    #[schema(format = DateTime)]
    approved_at: Option<String>,
    use_escrow: bool,
    last_transaction_key: Option<String>,
    supplied_amount: i64,
    vat: i64,
    culture_expense: bool,
    tax_free_amount: i64,
    tax_exemption_amount: i64,
    /// What was returned, the earliest first; null when nothing was.
    cancels: Option<Vec<CancelDetail>>,
    is_partial_cancelable: bool,
    card: Option<CardDetail>,
    #[schema(value_type = Option<Object>)]
    virtual_account: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    transfer: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    mobile_phone: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    gift_certificate: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    cash_receipt: Option<Map<String, Value>>,
    #[schema(value_type = Option<Vec<Object>>)]
    cash_receipts: Option<Vec<Map<String, Value>>>,
    #[schema(value_type = Option<Object>)]
    discount: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    easy_pay: Option<Map<String, Value>>,
    secret: Option<String>,
    #[schema(example = "KR")]
    country: &'static str,
    /// Why the last confirm was refused.
    failure: Option<Told>,
    #[schema(value_type = Option<Object>)]
    receipt: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    checkout: Option<Map<String, Value>>,
    #[schema(value_type = Option<Object>)]
    metadata: Option<Map<String, Value>>,
}

/// Money that was returned.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CancelDetail {
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
    cancel_status: &'static str,
    cancel_request_id: Option<String>,
}

/// The card that was charged.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CardDetail {
    amount: i64,
    issuer_code: &'static str,
    acquirer_code: &'static str,
    #[schema(example = "43301234****123*")]
    number: &'static str,
    installment_plan_months: i64,
    approve_no: &'static str,
    use_card_point: bool,
    card_type: &'static str,
    owner_type: &'static str,
    acquire_status: &'static str,
    is_interest_free: bool,
    interest_payer: Option<String>,
}

impl Detail {
    /// Shows what is stored, in the state it is in now.
    pub(crate) fn new(
        row: &Row,
        status: PgStatus,
        refunds: &[Movement],
        merchant: &str,
    ) -> Result<Self, sqlx::Error> {
        let vat = vat(row.total_amount - row.tax_free_amount);
        let cancels: Vec<_> = refunds.iter().map(CancelDetail::new).collect::<Result<_, _>>()?;
        let failure = row
            .failure_code
            .clone()
            .map(|code| Told { code, message: row.failure_message.clone().unwrap_or_default() });
        Ok(Self {
            version: VERSION,
            payment_key: row.payment_key.clone(),
            r#type: TYPE,
            order_id: row.order_id.clone(),
            order_name: row.order_name.clone(),
            m_id: merchant.to_owned(),
            currency: CURRENCY,
            method: row.authenticated_at.as_ref().map(|_| CARD),
            total_amount: row.total_amount,
            balance_amount: row.balance_amount,
            status,
            requested_at: read_instant(&row.requested_at)?,
            approved_at: row.approved_at.as_deref().map(read_instant).transpose()?,
            use_escrow: false,
            last_transaction_key: row.last_transaction_key.clone(),
            supplied_amount: row.total_amount - row.tax_free_amount - vat,
            vat,
            culture_expense: false,
            tax_free_amount: row.tax_free_amount,
            tax_exemption_amount: 0,
            cancels: Some(cancels).filter(|cancels| !cancels.is_empty()),
            is_partial_cancelable: true,
            card: row.approved_at.as_ref().map(|_| CardDetail::charged(row.total_amount)),
            virtual_account: None,
            transfer: None,
            mobile_phone: None,
            gift_certificate: None,
            cash_receipt: None,
            cash_receipts: None,
            discount: None,
            easy_pay: None,
            secret: None,
            country: COUNTRY,
            failure,
            receipt: None,
            checkout: None,
            metadata: None,
        })
    }
}

impl CancelDetail {
    fn new(refund: &Movement) -> Result<Self, sqlx::Error> {
        Ok(Self {
            cancel_amount: refund.amount,
            cancel_reason: refund.reason.clone().unwrap_or_default(),
            tax_free_amount: refund.tax_free_amount,
            tax_exemption_amount: 0,
            refundable_amount: refund.refundable_amount,
            canceled_at: read_instant(&refund.moved_at)?,
            transaction_key: refund.transaction_key.clone(),
            receipt_key: None,
            cancel_status: "DONE",
            cancel_request_id: None,
        })
    }
}

impl CardDetail {
    /// The one card everybody has here.
    fn charged(amount: i64) -> Self {
        Self {
            amount,
            issuer_code: "41",
            acquirer_code: "41",
            number: "43301234****123*",
            installment_plan_months: 0,
            approve_no: "00000000",
            use_card_point: false,
            card_type: "신용",
            owner_type: "개인",
            acquire_status: "READY",
            is_interest_free: false,
            interest_payer: None,
        }
    }
}

/// The tax in a price, rounded half up.
fn vat(taxed: i64) -> i64 {
    (taxed * 2 + TAXED_PARTS) / (TAXED_PARTS * 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Invariant 4 of a payment.
    #[test]
    fn the_tax_in_a_price_is_rounded_half_up() {
        for (price, tax) in [(15_000, 1_364), (9_026, 821), (30_000, 2_727), (0, 0)] {
            assert_eq!(vat(price), tax, "{price}");
        }
    }
}
