//! For operators.
//!
//! | endpoint                                    | answers                                     |
//! |---------------------------------------------|---------------------------------------------|
//! | `GET /internal/v1/refunds?status=`          | refunds in one state, the oldest first      |
//! | `GET /internal/v1/refunds/{refundId}`       | one of them                                 |
//! | `POST /internal/v1/refunds/{refundId}/settle` | the refund, whose money was returned by hand |

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use payment::machine::{Origin, RefundStatus};
use serde::{Deserialize, Serialize};
use service::body::Json;
use service::check::Check;
use service::code::{Code, codes};
use service::cursor::Cursor;
use service::envelope::{Many, One, Page};
use service::problem::{Problem, ProblemDocument};
use service::query::Query;
use service::stored::{read_code, read_instant};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::cashier::Failure;
use crate::desk::Desk;
use crate::store::{self, RefundRow};

/// One request to return money.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefundDetail {
    #[schema(format = "uuid")]
    refund_id: String,
    #[schema(format = "uuid")]
    payment_id: String,
    origin: Origin,
    amount: i64,
    reason: String,
    #[schema(example = "CUSTOMER")]
    reason_code: String,
    status: RefundStatus,
    /// Part of the key sent to the payment gateway.
    n: i64,
    attempts: i64,
    /// When it is tried next; null when it is not.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// The payment gateway's last code.
    last_code: Option<String>,
    /// What the operator said who settled it.
    note: Option<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// What an operator says about money that was returned by hand.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Settlement {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 500)]
    note: Option<String>,
}

/// The endpoints of this file.
pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/internal/v1/refunds", get(list))
        .route("/internal/v1/refunds/{refundId}", get(show))
        .route("/internal/v1/refunds/{refundId}/settle", post(settle))
}

/// Lists refunds in one state, the oldest first.
#[utoipa::path(
    get,
    path = "/internal/v1/refunds",
    operation_id = "listRefunds",
    tag = "operations",
    security(("serviceProof" = [])),
    params(
        ("status" = Option<RefundStatus>, Query, description = "Their state (REFUSED)"),
        ("size" = Option<usize>, Query, minimum = 1, maximum = 100, description = "How many a page holds (20)"),
        ("cursor" = Option<String>, Query, description = "nextCursor of the page before, with the same other parameters"),
    ),
    responses(
        (status = 200, description = "A page of refunds", body = Many<RefundDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[], or INVALID_CURSOR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(desk): State<Desk>,
    mut query: Query,
) -> Result<Many<RefundDetail>, Problem> {
    let fingerprint = query.fingerprint(&["status"]);
    let expected = format!("one of {}", codes::<RefundStatus>(", "));
    let status = query.parse("status", expected, RefundStatus::by_code);
    let size = query.size();
    let cursor = query.one("cursor");
    query.finish()?;
    let after: Option<Cursor<String, String>> =
        cursor.map(|text| Cursor::decode(&text, &fingerprint)).transpose()?;
    let after = after.as_ref().map(|cursor| (cursor.key.as_str(), cursor.id.as_str()));
    // One more than the page holds tells whether there is a next one.
    let limit = i64::try_from(size).map_err(Problem::internal)?.saturating_add(1);
    let status = status.unwrap_or(RefundStatus::Refused);
    let pool = desk.shared.database.pool();
    let mut rows = store::list_refunds(pool, status, after, limit).await?;
    let has_next = rows.len() > size;
    rows.truncate(size);
    let last = rows.last().filter(|_| has_next);
    let next = last.map(|row| {
        let cursor = Cursor { key: row.created_at.clone(), id: row.refund_id.clone() };
        cursor.encode(&fingerprint)
    });
    let page = Page::new(size, next.transpose()?, None);
    let items = rows.into_iter().map(RefundDetail::new).collect::<Result<_, _>>()?;
    Ok(Many::new(&desk.shared.clock, items, page))
}

/// Shows one refund.
#[utoipa::path(
    get,
    path = "/internal/v1/refunds/{refundId}",
    operation_id = "showRefund",
    tag = "operations",
    security(("serviceProof" = [])),
    params(("refundId" = String, Path, format = "uuid", description = "Id of the refund")),
    responses(
        (status = 200, description = "The refund", body = One<RefundDetail>),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "REFUND_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(desk): State<Desk>,
    Path(refund_id): Path<String>,
) -> Result<One<RefundDetail>, Problem> {
    let row = find(&desk, &refund_id).await?;
    Ok(One::new(&desk.shared.clock, RefundDetail::new(row)?))
}

/// Notes that the money of a refused refund was returned by hand.
#[utoipa::path(
    post,
    path = "/internal/v1/refunds/{refundId}/settle",
    operation_id = "settleRefund",
    tag = "operations",
    security(("serviceProof" = [])),
    params(("refundId" = String, Path, format = "uuid", description = "Id of the refund")),
    request_body = Settlement,
    responses(
        (status = 200, description = "The refund, which is done", body = One<RefundDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "REFUND_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "INVALID_STATE: it is not REFUSED; CONCURRENT_MODIFICATION when the same may be tried again", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn settle(
    State(desk): State<Desk>,
    Path(refund_id): Path<String>,
    Json(Settlement { note }): Json<Settlement>,
) -> Result<One<RefundDetail>, Problem> {
    let mut check = Check::new();
    let note = check.text("note", note.as_deref(), 1..=500);
    let note = check.finish_with(note)?;
    let row = find(&desk, &refund_id).await?;
    let is_settled = desk.cashier.settle(&row, &note).await.map_err(Failure::into_problem)?;
    if !is_settled {
        let detail = "only a refund that the payment gateway refused is settled by hand";
        return Err(Problem::conflict("INVALID_STATE", detail));
    }
    let row = find(&desk, &refund_id).await?;
    Ok(One::new(&desk.shared.clock, RefundDetail::new(row)?))
}

async fn find(desk: &Desk, refund_id: &str) -> Result<RefundRow, Problem> {
    let missing = || Problem::not_found("REFUND_NOT_FOUND", "there is no such refund");
    // What is no UUID is the id of no refund.
    let id = Uuid::try_parse(refund_id).map_err(|_| missing())?;
    store::find_refund(desk.shared.database.pool(), id).await?.ok_or_else(missing)
}

impl RefundDetail {
    fn new(row: RefundRow) -> Result<Self, Problem> {
        Ok(Self {
            origin: read_code(&row.origin)?,
            status: read_code(&row.status)?,
            next_attempt_at: row.next_attempt_at.as_deref().map(read_instant).transpose()?,
            created_at: read_instant(&row.created_at)?,
            updated_at: read_instant(&row.updated_at)?,
            refund_id: row.refund_id,
            payment_id: row.payment_id,
            amount: row.amount,
            reason: row.reason,
            reason_code: row.reason_code,
            n: row.n,
            attempts: row.attempts,
            last_code: row.last_code,
            note: row.note,
        })
    }
}
