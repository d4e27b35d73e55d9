//! For tests: the same rows without a message. They exist with `TEST_MODE=1` only.
//!
//! | endpoint                                | answers                                        |
//! |-----------------------------------------|------------------------------------------------|
//! | `POST /v1/payments/confirm`             | the payment, whose money was taken             |
//! | `POST /v1/payments/{paymentKey}/cancel` | the payment, whose money somebody else returned |

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use payment::machine::Status;
use serde::Deserialize;
use service::body::Json;
use service::check::Check;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::stored::read;
use utoipa::{OpenApi, ToSchema};

use crate::cashier::{ConfirmCommand, Failure};
use crate::desk::Desk;
use crate::payment::PaymentDetail;
use crate::store::By;

/// What is to be paid, as the payment gateway is told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Confirm {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    payment_key: Option<String>,
    #[schema(value_type = String, required = true, min_length = 6, max_length = 64)]
    order_id: Option<String>,
    #[schema(value_type = i64, required = true, minimum = 1)]
    amount: Option<i64>,
}

/// Why, and how much; everything unless told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cancel {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    cancel_reason: Option<String>,
    #[schema(minimum = 1)]
    cancel_amount: Option<i64>,
}

/// The part of the `OpenAPI` document that exists in test mode.
#[derive(Debug, OpenApi)]
#[openapi(
    paths(confirm, cancel),
    tags((name = "test mode", description = "Only with TEST_MODE=1"))
)]
pub(crate) struct TestApi;

/// The endpoints of this file.
pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/v1/payments/confirm", post(confirm))
        .route("/v1/payments/{paymentKey}/cancel", post(cancel))
}

/// Takes the money; results are published as for a command.
#[utoipa::path(
    post,
    path = "/v1/payments/confirm",
    operation_id = "confirmPayment",
    tag = "test mode",
    security(("serviceProof" = [])),
    request_body = Confirm,
    responses(
        (status = 200, description = "The payment: DONE, or IN_PROGRESS while nobody knows", body = One<PaymentDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOT_FOUND_PAYMENT", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "PAYMENT_REJECTED: detail begins with the payment gateway's code, or ours; CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE, PG_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn confirm(
    State(desk): State<Desk>,
    Json(body): Json<Confirm>,
) -> Result<One<PaymentDetail>, Problem> {
    let mut check = Check::new();
    let payment_key = check.text("paymentKey", body.payment_key.as_deref(), 1..=200);
    let order_id = check.text("orderId", body.order_id.as_deref(), 6..=64);
    let amount = check.required("amount", body.amount);
    let amount = check.within("amount", amount, 1..=i64::MAX);
    let asked = (|| Some((payment_key?, order_id?, amount?)))();
    let (payment_key, order_id, amount) = check.finish_with(asked)?;
    let found = desk.find(By::Order(order_id.clone())).await?;
    let row = &found.payment;
    let command = ConfirmCommand {
        payment_id: row.id()?,
        payment_key: payment_key.clone(),
        order_id: read(&row.order_id)?,
        member_id: row.member_id,
        amount,
        approve_by: read(&row.expires_at)?,
    };
    desk.cashier.confirm(&command, None).await.map_err(Failure::into_problem)?;
    let stored = desk.find(By::Order(order_id)).await?;
    let is_other = stored.payment.payment_key.as_deref() != Some(&payment_key);
    let failure = stored.payment.failure_code.as_deref().filter(|_| !is_other);
    let is_charged = matches!(
        stored.payment.status()?,
        Status::Done | Status::PartialCanceled | Status::InProgress
    );
    if is_other || !is_charged {
        let code = failure.unwrap_or("PAYMENT_KEY_MISMATCH");
        let detail = format!("{code}: the money was not taken");
        return Err(Problem::conflict("PAYMENT_REJECTED", detail));
    }
    Ok(One::new(&desk.shared.clock, PaymentDetail::new(stored)?))
}

/// Returns money as somebody at the payment gateway would, and then finds out.
#[utoipa::path(
    post,
    path = "/v1/payments/{paymentKey}/cancel",
    operation_id = "cancelPayment",
    tag = "test mode",
    security(("serviceProof" = [])),
    params(("paymentKey" = String, Path, description = "Key that the payment gateway gave the client")),
    request_body = Cancel,
    responses(
        (status = 200, description = "The payment", body = One<PaymentDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOT_FOUND_PAYMENT", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "PAYMENT_CANCEL_FAILED: detail begins with the payment gateway's code; CONCURRENT_MODIFICATION", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE, PG_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(desk): State<Desk>,
    Path(payment_key): Path<String>,
    Json(body): Json<Cancel>,
) -> Result<One<PaymentDetail>, Problem> {
    let mut check = Check::new();
    let reason = check.text("cancelReason", body.cancel_reason.as_deref(), 1..=200);
    let amount = check.within("cancelAmount", body.cancel_amount, 1..=i64::MAX);
    let reason = check.finish_with(reason)?;
    let found = desk.find(By::PaymentKey(payment_key.clone())).await?;
    let gateway = &desk.cashier.gateway;
    match gateway.cancel_outside(&payment_key, &reason, amount).await {
        Ok(()) => {}
        Err(Some(refusal)) => {
            let detail = format!("{}: the money was not returned", refusal.code);
            return Err(Problem::conflict("PAYMENT_CANCEL_FAILED", detail));
        }
        Err(None) => {
            let detail = "the payment gateway does not answer; try again";
            let wait = Duration::from_secs(1);
            return Err(Problem::unavailable("PG_UNAVAILABLE", detail, wait));
        }
    }
    desk.cashier.look_into(found.payment.id()?).await.map_err(Failure::into_problem)?;
    let stored = desk.find(By::PaymentKey(payment_key)).await?;
    Ok(One::new(&desk.shared.clock, PaymentDetail::new(stored)?))
}
