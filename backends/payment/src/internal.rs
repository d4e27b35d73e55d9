//! For the reservation service.
//!
//! | endpoint                              | answers                                         |
//! |---------------------------------------|-------------------------------------------------|
//! | `POST /v1/payments`                   | 201 with a new payment, 200 with the order's own |
//! | `GET /v1/payments/{paymentKey}`       | the payment with a key                          |
//! | `GET /v1/payments/orders/{orderId}`   | the payment of an order                         |

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value};
use service::body::Json;
use service::check::{self, A_UUID, Check};
use service::date;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use utoipa::ToSchema;

use crate::cashier::{Failure, NewPayment};
use crate::desk::Desk;
use crate::payment::PaymentDetail;
use crate::store::{self, By, Stored};

/// What is paid at least: the payment gateway takes no less.
const LEAST: i64 = 100;
/// More than anybody pays for a month in a lodging.
const MOST: i64 = 1_000_000_000;

/// What is to be paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatePayment {
    /// Id of the reservation; the order of the payment gateway.
    #[schema(value_type = String, required = true, format = "uuid")]
    order_id: Option<String>,
    #[schema(value_type = String, required = true, min_length = 1, max_length = 100)]
    order_name: Option<String>,
    #[schema(value_type = i64, required = true, minimum = 1)]
    member_id: Option<i64>,
    #[schema(value_type = i64, required = true, minimum = 100, maximum = 1_000_000_000)]
    total_amount: Option<i64>,
    #[schema(pattern = "^KRW$", example = "KRW")]
    currency: Option<String>,
    metadata: Option<CreateMetadata>,
}

/// What else is known.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", try_from = "Map<String, Value>")]
pub(crate) struct CreateMetadata {
    /// When the stay begins: until then the payment gateway is asked once a day whether the money is
    /// still there.
    #[schema(format = Date, example = "2026-12-24")]
    check_in_date: Option<String>,
}

/// The endpoints of this file.
pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/v1/payments", post(create))
        .route("/v1/payments/{paymentKey}", get(show_by_key))
        .route("/v1/payments/orders/{orderId}", get(show_by_order))
}

/// Writes down that an order is to be paid.
///
/// A second time the order's payment is answered as it is by now.
#[utoipa::path(
    post,
    path = "/v1/payments",
    operation_id = "createPayment",
    tag = "internal",
    security(("serviceProof" = [])),
    request_body = CreatePayment,
    responses(
        (status = 200, description = "The order has a payment", body = One<PaymentDetail>),
        (status = 201, description = "The payment is made", body = One<PaymentDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "ORDER_AMOUNT_CONFLICT: the order has a payment of another amount or member", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    State(desk): State<Desk>,
    Json(body): Json<CreatePayment>,
) -> Result<impl IntoResponse, Problem> {
    let new = body.check()?;
    let (record, is_new) = desk.cashier.create(&new).await.map_err(Failure::into_problem)?;
    let row = &record.payment;
    if row.total_amount != new.amount || row.member_id != new.member_id {
        let detail = "the order has a payment of another amount or member; use another order";
        return Err(Problem::conflict("ORDER_AMOUNT_CONFLICT", detail));
    }
    let stored = Stored { payment: record.payment, cancels: record.cancels };
    let answer = One::new(&desk.shared.clock, PaymentDetail::new(stored)?);
    desk.cashier.crash.pass("payment.create.before_answer");
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, answer))
}

/// Shows the payment with a key of the payment gateway.
#[utoipa::path(
    get,
    path = "/v1/payments/{paymentKey}",
    operation_id = "showPaymentByKey",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("paymentKey" = String, Path, description = "Key that the payment gateway gave the client")),
    responses(
        (status = 200, description = "The payment", body = One<PaymentDetail>),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOT_FOUND_PAYMENT", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 405, description = "METHOD_NOT_ALLOWED: with TEST_MODE=1 `confirm` is no key", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show_by_key(
    State(desk): State<Desk>,
    Path(payment_key): Path<String>,
) -> Result<One<PaymentDetail>, Problem> {
    show(&desk, By::PaymentKey(payment_key)).await
}

/// Shows the payment of an order.
#[utoipa::path(
    get,
    path = "/v1/payments/orders/{orderId}",
    operation_id = "showPaymentByOrder",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("orderId" = String, Path, description = "Id of the reservation that is paid")),
    responses(
        (status = 200, description = "The payment", body = One<PaymentDetail>),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOT_FOUND_PAYMENT", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show_by_order(
    State(desk): State<Desk>,
    Path(order_id): Path<String>,
) -> Result<One<PaymentDetail>, Problem> {
    show(&desk, By::Order(order_id)).await
}

async fn show(desk: &Desk, by: By) -> Result<One<PaymentDetail>, Problem> {
    let stored = desk.find(by).await?;
    Ok(One::new(&desk.shared.clock, PaymentDetail::new(stored)?))
}

/// An object only: a list would do for a struct, too.
impl TryFrom<Map<String, Value>> for CreateMetadata {
    type Error = &'static str;

    fn try_from(mut members: Map<String, Value>) -> Result<Self, Self::Error> {
        match members.remove("checkInDate") {
            None | Some(Value::Null) => Ok(Self { check_in_date: None }),
            Some(Value::String(text)) => Ok(Self { check_in_date: Some(text) }),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err("metadata.checkInDate must be a text")
            }
        }
    }
}

impl CreatePayment {
    fn check(self) -> Result<NewPayment, Problem> {
        let mut check = Check::new();
        let order_id = check.required("orderId", self.order_id.as_deref());
        let order_id = check.parse("orderId", order_id, A_UUID, check::uuid);
        let order_name = check.text("orderName", self.order_name.as_deref(), 1..=100);
        let member_id = check.required("memberId", self.member_id);
        let member_id = check.within("memberId", member_id, 1..=i64::MAX);
        let amount = check.required("totalAmount", self.total_amount);
        let amount = check.within("totalAmount", amount, LEAST..=MOST);
        if let Some(currency) = self.currency.filter(|currency| currency != "KRW") {
            check.reject("currency", "must be KRW", Some(currency));
        }
        let begin = self.metadata.and_then(|metadata| metadata.check_in_date);
        let begin =
            check.parse("metadata.checkInDate", begin.as_deref(), date::EXPECTED, date::parse);
        let new = (|| {
            Some(NewPayment {
                order_id: order_id?,
                order_name: order_name?,
                member_id: member_id?,
                amount: amount?,
                check_in_date: begin.map(|date| date.to_string()),
            })
        })();
        check.finish_with(new)
    }
}

impl Desk {
    /// A payment, whoever it belongs to.
    pub(crate) async fn find(&self, by: By) -> Result<Stored, Problem> {
        // What cannot be stored cannot be found.
        let is_text = match &by {
            By::Order(text) | By::PaymentKey(text) => !text.contains('\0'),
            By::Id(_) => true,
        };
        let found =
            if is_text { store::find_any(self.shared.database.pool(), by).await? } else { None };
        found.ok_or_else(|| Problem::not_found("NOT_FOUND_PAYMENT", "there is no such payment"))
    }
}

#[cfg(test)]
mod tests;
