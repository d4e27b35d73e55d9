//! What the codes of the payment gateway mean for whoever asked.
//!
//! A refusal is classified by its code, never by its status: the payment gateway tells of money that
//! may have moved with a 400. Only where a code is unknown the status decides, and never that
//! money was not moved.

use axum::http::StatusCode;

/// What a code says about a confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConfirm {
    /// No money was taken, and none will be for this attempt.
    Refused,
    /// Only a query tells.
    LookUp,
    /// The money may have been taken: query, and send it again with the same key.
    InDoubt,
    /// The merchant's settings are wrong; it says nothing about the payment.
    Misconfigured,
}

/// What a code says about a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnCancel {
    /// Only a query tells; it counts as refused unless the money was returned.
    LookUp,
    /// It was refused; a query shows whether the money was returned all the same.
    Refused,
    /// Send it again with the same key.
    Retry,
    /// The merchant's settings are wrong; it says nothing about the refund.
    Misconfigured,
}

/// Codes that are treated alike, by the status they come with.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// What they say about a confirm.
    pub confirm: Option<OnConfirm>,
    /// What they say about a cancel.
    pub cancel: Option<OnCancel>,
    /// The codes.
    pub codes: &'static [(u16, &'static [&'static str])],
}

/// Every code that is known.
pub const RULES: &[Rule] = &[
    Rule {
        confirm: Some(OnConfirm::Refused),
        cancel: None,
        codes: &[
            (
                403,
                &[
                    "REJECT_CARD_PAYMENT",
                    "REJECT_CARD_COMPANY",
                    "REJECT_ACCOUNT_PAYMENT",
                    "REJECT_TOSSPAY_INVALID_ACCOUNT",
                    "EXCEED_MAX_AUTH_COUNT",
                    "EXCEED_MAX_ONE_DAY_AMOUNT",
                    "NOT_AVAILABLE_BANK",
                    "INVALID_PASSWORD",
                    "FDS_ERROR",
                ],
            ),
            (
                400,
                &[
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
                ],
            ),
            (404, &["NOT_FOUND_PAYMENT", "NOT_FOUND_PAYMENT_SESSION"]),
        ],
    },
    Rule {
        confirm: Some(OnConfirm::LookUp),
        cancel: None,
        codes: &[(
            400,
            &["ALREADY_PROCESSED_PAYMENT", "DUPLICATED_ORDER_ID", "CARD_PROCESSING_ERROR"],
        )],
    },
    Rule {
        confirm: Some(OnConfirm::InDoubt),
        cancel: None,
        codes: &[
            (400, &["PROVIDER_ERROR"]),
            (409, &["IDEMPOTENT_REQUEST_PROCESSING"]),
            (
                500,
                &[
                    "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
                    "FAILED_INTERNAL_SYSTEM_PROCESSING",
                    "UNKNOWN_PAYMENT_ERROR",
                    "COMMON_ERROR",
                ],
            ),
        ],
    },
    Rule {
        confirm: Some(OnConfirm::Misconfigured),
        cancel: Some(OnCancel::Misconfigured),
        codes: &[
            (400, &["INVALID_API_KEY", "NOT_FOUND_TERMINAL_ID", "INVALID_AUTHORIZE_AUTH"]),
            (401, &["UNAUTHORIZED_KEY"]),
            (403, &["FORBIDDEN_REQUEST", "INCORRECT_BASIC_AUTH_FORMAT"]),
        ],
    },
    Rule {
        confirm: None,
        cancel: Some(OnCancel::LookUp),
        codes: &[
            (
                400,
                &[
                    "ALREADY_CANCELED_PAYMENT",
                    "ALREADY_REFUND_PAYMENT",
                    "NOT_MATCHES_REFUNDABLE_AMOUNT",
                ],
            ),
            (403, &["NOT_CANCELABLE_AMOUNT", "NOT_CANCELABLE_PAYMENT"]),
        ],
    },
    Rule {
        confirm: None,
        cancel: Some(OnCancel::Refused),
        codes: &[
            (
                400,
                &[
                    "REFUND_REJECTED",
                    "INVALID_REQUEST",
                    "INVALID_REFUND_ACCOUNT_INFO",
                    "INVALID_REFUND_ACCOUNT_NUMBER",
                    "INVALID_BANK",
                    "FORBIDDEN_BANK_REFUND_REQUEST",
                    "EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT",
                ],
            ),
            (
                403,
                &[
                    "EXCEED_MAX_REFUND_DUE",
                    "NOT_ALLOWED_PARTIAL_REFUND",
                    "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT",
                    "NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER",
                ],
            ),
            (404, &["NOT_FOUND_PAYMENT"]),
        ],
    },
    Rule {
        confirm: None,
        cancel: Some(OnCancel::Retry),
        codes: &[
            (400, &["PROVIDER_ERROR"]),
            (403, &["FORBIDDEN_CONSECUTIVE_REQUEST", "NOT_AVAILABLE_BANK"]),
            (409, &["IDEMPOTENT_REQUEST_PROCESSING"]),
            (
                500,
                &[
                    "FAILED_INTERNAL_SYSTEM_PROCESSING",
                    "FAILED_REFUND_PROCESS",
                    "FAILED_METHOD_HANDLING_CANCEL",
                    "FAILED_PARTIAL_REFUND",
                    "COMMON_ERROR",
                    "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
                ],
            ),
        ],
    },
];

/// What a refused confirm means.
pub fn on_confirm(status: StatusCode, code: &str) -> OnConfirm {
    let known = rules(code).find_map(|(_, rule)| rule.confirm);
    let by_status =
        || if status.is_client_error() { OnConfirm::LookUp } else { OnConfirm::InDoubt };
    known.unwrap_or_else(by_status)
}

/// What a refused cancel means.
pub fn on_cancel(status: StatusCode, code: &str) -> OnCancel {
    let known = rules(code).find_map(|(_, rule)| rule.cancel);
    let by_status = || if status.is_client_error() { OnCancel::LookUp } else { OnCancel::Retry };
    known.unwrap_or_else(by_status)
}

/// Whether the merchant's settings are wrong, whatever was asked.
pub fn is_misconfigured(code: &str) -> bool {
    rules(code).any(|(_, rule)| rule.confirm == Some(OnConfirm::Misconfigured))
}

/// The status that a code comes with, and the code as the table has it.
pub fn published(code: &str) -> Option<(StatusCode, &'static str)> {
    let (status, rule) = rules(code).next()?;
    let codes = rule.codes.iter().flat_map(|(_, codes)| codes.iter());
    let known = codes.copied().find(|known| *known == code)?;
    Some((StatusCode::from_u16(status).ok()?, known))
}

/// The rules of a code, with the status it comes with.
fn rules(code: &str) -> impl Iterator<Item = (u16, &'static Rule)> {
    RULES.iter().filter_map(move |rule| {
        let status = rule.codes.iter().find(|(_, codes)| codes.contains(&code));
        status.map(|(status, _)| (*status, rule))
    })
}

#[cfg(test)]
mod tests;
