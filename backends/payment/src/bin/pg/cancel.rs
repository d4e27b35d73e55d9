//! | endpoint                                        | answers                                   |
//! |-------------------------------------------------|-------------------------------------------|
//! | `POST /pg/v1/payments/{paymentKey}/cancel`       | the payment, money of it was returned     |
//! | `POST /pg/admin/payments/{paymentKey}/cancel`    | the same, from the payment gateway's own console |

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use payment::pg::PgStatus;
use serde::Deserialize;
use serde_json::{Map, Value};
use service::body::Json;
use utoipa::ToSchema;

use crate::checkout::find_locked;
use crate::desk::{Desk, Operation, test_code};
use crate::detail::Detail;
use crate::error::{Failure, PgError, named};
use crate::errors::Errors;
use crate::keys::Answer;
use crate::reception::Kept;
use crate::settings::AFTER_REFUND;
use crate::store::{self, Refund, Row};

/// What is to be returned, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CancelWish {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    cancel_reason: Option<String>,
    /// All that is left, unless told.
    #[schema(minimum = 1)]
    cancel_amount: Option<i64>,
    /// How much of it is free of tax (0).
    #[schema(minimum = 0)]
    tax_free_amount: Option<i64>,
    /// Of virtual accounts, which are not offered.
    #[expect(dead_code, reason = "accepted for its form and not needed")]
    #[schema(value_type = Option<Object>)]
    refund_receive_account: Option<Map<String, Value>>,
}

/// What [`CancelWish`] says once it was checked.
struct Return {
    reason: String,
    amount: Option<i64>,
    tax_free_amount: i64,
}

/// Returns money of a payment, all that is left or a part.
#[utoipa::path(
    post,
    path = "/pg/v1/payments/{paymentKey}/cancel",
    operation_id = "cancelPayment",
    tag = "payments",
    security(("secretKey" = [])),
    params(("paymentKey" = String, Path, description = "Key of the payment")),
    request_body = CancelWish,
    responses(
        (status = 200, description = "The payment, CANCELED or PARTIAL_CANCELED", body = Detail),
        Errors,
    )
)]
pub(crate) async fn cancel(
    State(desk): State<Desk>,
    Path(payment_key): Path<String>,
    Extension(kept): Extension<Kept>,
    headers: HeaderMap,
    Json(body): Json<CancelWish>,
) -> Result<Answer, Failure> {
    let wish = body.read()?;
    give_back(&desk, &kept, &payment_key, wish, test_code(&headers)).await
}

/// Returns money as somebody at the payment gateway does who asks nobody.
#[utoipa::path(
    post,
    path = "/pg/admin/payments/{paymentKey}/cancel",
    operation_id = "cancelFromConsole",
    tag = "console",
    params(("paymentKey" = String, Path, description = "Key of the payment")),
    request_body = CancelWish,
    responses(
        (status = 200, description = "The payment, CANCELED or PARTIAL_CANCELED", body = Detail),
        Errors,
    )
)]
pub(crate) async fn cancel_from_console(
    State(desk): State<Desk>,
    Path(payment_key): Path<String>,
    Json(body): Json<CancelWish>,
) -> Result<Answer, Failure> {
    let payment_key = named(payment_key)?;
    let wish = body.read()?;
    give_back(&desk, &Kept(None), &payment_key, wish, None).await
}

async fn give_back(
    desk: &Desk,
    kept: &Kept,
    payment_key: &str,
    wish: Return,
    asked: Option<PgError>,
) -> Result<Answer, Failure> {
    desk.settle(Operation::Cancel, kept, AFTER_REFUND, async |connection, now| {
        if let Some(error) = asked {
            return Err(error.into());
        }
        let mut row = find_locked(connection, payment_key).await?;
        let refund = check(&row, row.status(desk.windows, now)?, wish)?;
        store::refund(connection, &mut row, &refund, now).await?;
        Ok(row)
    })
    .await
}

/// What is returned, or what stands against it.
fn check(row: &Row, status: PgStatus, wish: Return) -> Result<Refund, PgError> {
    match status {
        PgStatus::Done | PgStatus::PartialCanceled => {}
        PgStatus::Canceled => {
            let message = "all of it was returned already";
            return Err(PgError::new("ALREADY_CANCELED_PAYMENT", message));
        }
        PgStatus::Ready
        | PgStatus::InProgress
        | PgStatus::WaitingForDeposit
        | PgStatus::Aborted
        | PgStatus::Expired => {
            let message = "nothing was charged that could be returned";
            return Err(PgError::new("NOT_CANCELABLE_PAYMENT", message));
        }
    }
    let amount = wish.amount.unwrap_or(row.balance_amount);
    if amount > row.balance_amount {
        let message = format!("{} can be returned", row.balance_amount);
        return Err(PgError::new("NOT_CANCELABLE_AMOUNT", message));
    }
    let most = amount.min(row.tax_free_amount);
    if wish.tax_free_amount > most {
        return Err(PgError::invalid(format!("taxFreeAmount is at most {most}")));
    }
    Ok(Refund { amount, tax_free_amount: wish.tax_free_amount, reason: wish.reason })
}

impl CancelWish {
    fn read(self) -> Result<Return, PgError> {
        let is_reason = |reason: &String| {
            (1..=200).contains(&reason.chars().count()) && !reason.chars().any(char::is_control)
        };
        let reason = self.cancel_reason.filter(is_reason);
        let reason =
            reason.ok_or_else(|| PgError::invalid("cancelReason has 1 to 200 characters"))?;
        if self.cancel_amount.is_some_and(|amount| amount < 1) {
            return Err(PgError::invalid("cancelAmount is a whole number from 1"));
        }
        let tax_free_amount = self.tax_free_amount.unwrap_or(0);
        if tax_free_amount < 0 {
            return Err(PgError::invalid("taxFreeAmount is a whole number from 0"));
        }
        Ok(Return { reason, amount: self.cancel_amount, tax_free_amount })
    }
}
