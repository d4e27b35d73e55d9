//! Codes of the payment gateway, by what they mean for a payment.

use payment::machine::{CancelAnswer, ConfirmAnswer};
use reqwest::StatusCode;

/// Definite refusals of a confirm.
const REFUSED: &[&str] = &[
    "REJECT_CARD_PAYMENT",
    "REJECT_CARD_COMPANY",
    "REJECT_ACCOUNT_PAYMENT",
    "REJECT_TOSSPAY_INVALID_ACCOUNT",
    "EXCEED_MAX_AUTH_COUNT",
    "EXCEED_MAX_ONE_DAY_AMOUNT",
    "NOT_AVAILABLE_BANK",
    "INVALID_PASSWORD",
    "FDS_ERROR",
    "INVALID_REJECT_CARD",
    "INVALID_CARD_EXPIRATION",
    "INVALID_STOPPED_CARD",
    "INVALID_CARD_LOST_OR_STOLEN",
    "INVALID_CARD_NUMBER",
    "INVALID_CARD_INSTALLMENT_PLAN",
    "EXCEED_MAX_CARD_INSTALLMENT_PLAN",
    "NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT",
    "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN",
    "NOT_ALLOWED_POINT_USE",
    "BELOW_MINIMUM_AMOUNT",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT",
    "EXCEED_MAX_PAYMENT_AMOUNT",
    "EXCEED_MAX_AMOUNT",
    "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT",
    "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT",
    "INVALID_ACCOUNT_INFO_RE_REGISTER",
    "RESTRICTED_TRANSFER_ACCOUNT",
    "NOT_AVAILABLE_PAYMENT",
    "UNAPPROVED_ORDER_ID",
    "INVALID_REQUEST",
    "NOT_REGISTERED_BUSINESS",
    "NOT_FOUND_PAYMENT",
    "NOT_FOUND_PAYMENT_SESSION",
];

/// Nobody knows what became of a confirm.
const IN_DOUBT: &[&str] = &[
    "PROVIDER_ERROR",
    "IDEMPOTENT_REQUEST_PROCESSING",
    "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
    "FAILED_INTERNAL_SYSTEM_PROCESSING",
    "UNKNOWN_PAYMENT_ERROR",
    "COMMON_ERROR",
];

/// A cancel that is sent again with the same key.
const LATER: &[&str] = &[
    "PROVIDER_ERROR",
    "FORBIDDEN_CONSECUTIVE_REQUEST",
    "NOT_AVAILABLE_BANK",
    "IDEMPOTENT_REQUEST_PROCESSING",
    "FAILED_INTERNAL_SYSTEM_PROCESSING",
    "FAILED_REFUND_PROCESS",
    "FAILED_METHOD_HANDLING_CANCEL",
    "FAILED_PARTIAL_REFUND",
    "COMMON_ERROR",
    "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
];

/// The merchant's settings are wrong.
const MISCONFIGURED: &[&str] = &[
    "INVALID_API_KEY",
    "NOT_FOUND_TERMINAL_ID",
    "INVALID_AUTHORIZE_AUTH",
    "UNAUTHORIZED_KEY",
    "FORBIDDEN_REQUEST",
    "INCORRECT_BASIC_AUTH_FORMAT",
];

/// May be sent again at once.
const TRANSIENT: &[&str] = &["PROVIDER_ERROR", "IDEMPOTENT_REQUEST_PROCESSING"];

/// What a code says to a confirm; one that is not known is looked up, or in doubt where the payment
/// gateway itself failed.
pub(super) fn confirm_answer(status: StatusCode, code: &str) -> ConfirmAnswer {
    if REFUSED.contains(&code) {
        return ConfirmAnswer::Refused;
    }
    if is_misconfigured(code) {
        return ConfirmAnswer::Misconfigured;
    }
    if IN_DOUBT.contains(&code) || status.is_server_error() {
        return ConfirmAnswer::Unknown;
    }
    ConfirmAnswer::LookUp
}

/// What a code says to a cancel: a refusal counts only after a query, so codes that have to be looked
/// up are no different.
pub(super) fn cancel_answer(status: StatusCode, code: &str) -> CancelAnswer {
    if is_misconfigured(code) {
        return CancelAnswer::Misconfigured;
    }
    if LATER.contains(&code) || status.is_server_error() {
        return CancelAnswer::Unknown;
    }
    CancelAnswer::Refused
}

pub(super) fn is_misconfigured(code: &str) -> bool {
    MISCONFIGURED.contains(&code)
}

pub(super) fn is_transient(code: &str) -> bool {
    TRANSIENT.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A.3
    #[test]
    fn codes_decide_and_not_statuses() {
        let confirm = |status, code| confirm_answer(StatusCode::from_u16(status).unwrap(), code);
        assert_eq!(confirm(403, "REJECT_CARD_PAYMENT"), ConfirmAnswer::Refused);
        assert_eq!(confirm(500, "REJECT_CARD_PAYMENT"), ConfirmAnswer::Refused);
        assert_eq!(confirm(400, "PROVIDER_ERROR"), ConfirmAnswer::Unknown);
        assert_eq!(confirm(400, "ALREADY_PROCESSED_PAYMENT"), ConfirmAnswer::LookUp);
        assert_eq!(confirm(401, "UNAUTHORIZED_KEY"), ConfirmAnswer::Misconfigured);
        assert_eq!(confirm(418, "NEW_CODE"), ConfirmAnswer::LookUp);
        assert_eq!(confirm(503, ""), ConfirmAnswer::Unknown);
        let cancel = |status, code| cancel_answer(StatusCode::from_u16(status).unwrap(), code);
        assert_eq!(cancel(403, "NOT_AVAILABLE_BANK"), CancelAnswer::Unknown);
        assert_eq!(cancel(400, "ALREADY_CANCELED_PAYMENT"), CancelAnswer::Refused);
        assert_eq!(cancel(403, "FORBIDDEN_REQUEST"), CancelAnswer::Misconfigured);
        assert_eq!(cancel(500, ""), CancelAnswer::Unknown);
        assert_eq!(cancel(400, "NEW_CODE"), CancelAnswer::Refused);
    }
}
