//! What the payment gateway tells of a payment and nobody here interprets.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Stored as it was told and shown again; a member that was not told is null, or as a payment
/// without it would have it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Details {
    use_escrow: bool,
    culture_expense: bool,
    is_partial_cancelable: bool,
    card: Option<CardDetail>,
    easy_pay: Option<EasyPay>,
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
    receipt: Option<Link>,
    checkout: Option<Link>,
}

/// A card that was charged; its number is masked.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct CardDetail {
    amount: Option<i64>,
    issuer_code: Option<String>,
    acquirer_code: Option<String>,
    number: Option<String>,
    installment_plan_months: Option<i64>,
    approve_no: Option<String>,
    use_card_point: Option<bool>,
    card_type: Option<String>,
    owner_type: Option<String>,
    acquire_status: Option<String>,
    is_interest_free: Option<bool>,
    interest_payer: Option<String>,
}

/// A wallet that was charged.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
struct EasyPay {
    provider: Option<String>,
    amount: Option<i64>,
    discount_amount: Option<i64>,
}

/// A page to look at.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Link {
    url: String,
}

impl Default for Details {
    fn default() -> Self {
        Self {
            use_escrow: false,
            culture_expense: false,
            is_partial_cancelable: true,
            card: None,
            easy_pay: None,
            virtual_account: None,
            transfer: None,
            mobile_phone: None,
            gift_certificate: None,
            cash_receipt: None,
            cash_receipts: None,
            discount: None,
            receipt: None,
            checkout: None,
        }
    }
}
