//! What operators have to look at.
//!
//! | endpoint                                                | answers                              |
//! |---------------------------------------------------------|--------------------------------------|
//! | `GET /internal/v1/payments?attention=true`              | payments with an alert               |
//! | `POST /internal/v1/payments/{paymentId}/attention/clear` | 204 somebody has looked at it        |
//!
//! Refunds that were refused have a list of their own.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use payment::machine::Status;
use serde::{Deserialize, Serialize};
use service::body::Json;
use service::check::Check;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::query::Query;
use service::stored::{read_code, read_instant};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::desk::Desk;
use crate::store::attention::{self, AlertRow};

/// More than anybody reads at once.
const MOST: i64 = 500;

/// A payment that somebody should look at.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlertView {
    #[schema(format = "uuid")]
    payment_id: String,
    #[schema(format = "uuid")]
    order_id: String,
    #[schema(example = "RETURNED_OUTSIDE")]
    kind: String,
    status: Status,
    total_amount: i64,
    /// What was not returned of it.
    balance_amount: i64,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// What an operator says about it.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Remark {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 500)]
    note: Option<String>,
}

/// The endpoints of this file.
pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/internal/v1/payments", get(list_attention))
        .route("/internal/v1/payments/{paymentId}/attention/clear", post(clear_attention))
}

/// Lists payments with an alert that nobody has cleared, the oldest first.
#[utoipa::path(
    get,
    path = "/internal/v1/payments",
    operation_id = "listAttention",
    tag = "operations",
    security(("serviceProof" = [])),
    params(("attention" = bool, Query, description = "Must be true: there is no other list")),
    responses(
        (status = 200, description = "At most 500", body = One<Vec<AlertView>>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list_attention(
    State(desk): State<Desk>,
    mut query: Query,
) -> Result<One<Vec<AlertView>>, Problem> {
    let wanted = query.parse("attention", "true", |text| (text == "true").then_some(()));
    if wanted.is_none() && query.all("attention").is_empty() {
        query.reject("attention", "must be true", None);
    }
    query.finish()?;
    let rows = attention::list(desk.shared.database.pool(), MOST).await?;
    let alerts = rows.into_iter().map(AlertView::new).collect::<Result<_, _>>()?;
    Ok(One::new(&desk.shared.clock, alerts))
}

/// Notes that somebody has looked at a payment; the note stays in its history.
#[utoipa::path(
    post,
    path = "/internal/v1/payments/{paymentId}/attention/clear",
    operation_id = "clearAttention",
    tag = "operations",
    security(("serviceProof" = [])),
    params(("paymentId" = String, Path, format = "uuid", description = "Id of the payment")),
    request_body = Remark,
    responses(
        (status = 204, description = "Nothing is left to look at"),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "PAYMENT_NOT_FOUND: there is none, or nothing was told of it", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn clear_attention(
    State(desk): State<Desk>,
    Path(payment_id): Path<String>,
    Json(Remark { note }): Json<Remark>,
) -> Result<StatusCode, Problem> {
    let mut check = Check::new();
    let note = check.text("note", note.as_deref(), 1..=500);
    let note = check.finish_with(note)?;
    let missing = || Problem::not_found("PAYMENT_NOT_FOUND", "nothing was told of such a payment");
    let id = Uuid::try_parse(&payment_id).map_err(|_| missing())?;
    let now = desk.shared.clock.now();
    let is_cleared = attention::clear(&desk.shared.database, id, &note, now).await?;
    if is_cleared { Ok(StatusCode::NO_CONTENT) } else { Err(missing()) }
}

impl AlertView {
    fn new(row: AlertRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            status: read_code(&row.status)?,
            updated_at: read_instant(&row.updated_at)?,
            payment_id: row.payment_id,
            order_id: row.order_id,
            kind: row.alert,
            total_amount: row.total_amount,
            balance_amount: row.balance_amount,
        })
    }
}
