//! For tests and operators, who need no key.
//!
//! | endpoint                 | answers                                                |
//! |--------------------------|--------------------------------------------------------|
//! | `GET /pg/admin/ledger`   | charges and refunds of every order, or of one          |
//! | `GET /pg/admin/calls`    | calls that would move money, as they came              |
//! | `GET /pg/admin/webhooks` | what was announced, and how far that is                |

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Serialize;
use service::problem::{Problem, ProblemDocument};
use service::query::Query;
use service::stored::read_instant;
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::cancel::cancel_from_console;
use crate::desk::Desk;
use crate::store::{self, Movement};

/// What moved for one order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderLedger {
    order_id: String,
    /// How much was charged in all.
    charged: i64,
    /// How much was returned in all.
    refunded: i64,
    charges: Vec<Entry>,
    refunds: Vec<Entry>,
}

/// Money that moved.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    payment_key: String,
    transaction_key: String,
    amount: i64,
    /// Why it was returned; null for a charge.
    reason: Option<String>,
    #[schema(format = DateTime)]
    at: String,
}

/// A call that would move money.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    #[schema(example = "confirm")]
    operation: String,
    payment_key: Option<String>,
    order_id: Option<String>,
    idempotency_key: Option<String>,
    #[schema(format = DateTime)]
    came_at: String,
}

/// Something that was announced.
#[derive(Debug, Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Announced {
    payment_key: String,
    order_id: String,
    #[schema(example = "PAYMENT_STATUS_CHANGED")]
    event_type: String,
    /// How often it was sent.
    attempts: i64,
    /// When it is sent again; null when it was delivered or given up.
    #[schema(format = DateTime)]
    next_attempt_at: Option<String>,
    /// When it was answered 200.
    #[schema(format = DateTime)]
    delivered_at: Option<String>,
}

/// The endpoints of this file, and the console.
pub(crate) fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/pg/admin/ledger", get(ledger))
        .route("/pg/admin/calls", get(calls))
        .route("/pg/admin/webhooks", get(webhooks))
        .route("/pg/admin/payments/{paymentKey}/cancel", post(cancel_from_console))
        .with_state(desk)
}

/// Tells what was charged and returned, order by order.
#[utoipa::path(
    get,
    path = "/pg/admin/ledger",
    operation_id = "showLedger",
    tag = "console",
    params(("orderId" = Option<String>, Query, description = "Only this order")),
    responses(
        (status = 200, description = "By order", body = [OrderLedger]),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ledger(
    State(desk): State<Desk>,
    query: Query,
) -> Result<Json<Vec<OrderLedger>>, Problem> {
    let order_id = order(query)?;
    let mut connection = desk.database.pool().acquire().await?;
    let movements = store::ledger(&mut connection, order_id.as_deref()).await?;
    let mut orders: Vec<OrderLedger> = Vec::new();
    for movement in movements {
        let is_charge = movement.kind == "CHARGE";
        let order_id = movement.order_id.clone();
        let entry = Entry::new(movement)?;
        if orders.last().is_none_or(|last| last.order_id != order_id) {
            orders.push(OrderLedger::new(order_id));
        }
        if let Some(order) = orders.last_mut() {
            order.enter(entry, is_charge);
        }
    }
    Ok(Json(orders))
}

/// Tells which calls came that would move money, the earliest first.
#[utoipa::path(
    get,
    path = "/pg/admin/calls",
    operation_id = "listCalls",
    tag = "console",
    params(("orderId" = Option<String>, Query, description = "Only this order")),
    responses(
        (status = 200, description = "As they came", body = [Call]),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn calls(
    State(desk): State<Desk>,
    query: Query,
) -> Result<Json<Vec<Call>>, Problem> {
    let order_id = order(query)?;
    let mut calls: Vec<Call> = sqlx::query_as(
        "SELECT operation, payment_key, order_id, idempotency_key, came_at FROM calls \
         WHERE $1 = '' OR order_id = $1 ORDER BY call_id",
    )
    .bind(order_id.unwrap_or_default())
    .fetch_all(desk.database.pool())
    .await?;
    for call in &mut calls {
        call.came_at = read_instant(&call.came_at)?;
    }
    Ok(Json(calls))
}

/// Tells what was announced, the earliest first.
#[utoipa::path(
    get,
    path = "/pg/admin/webhooks",
    operation_id = "listWebhooks",
    tag = "console",
    params(("orderId" = Option<String>, Query, description = "Only this order")),
    responses(
        (status = 200, description = "As they happened", body = [Announced]),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn webhooks(
    State(desk): State<Desk>,
    query: Query,
) -> Result<Json<Vec<Announced>>, Problem> {
    let order_id = order(query)?;
    let mut webhooks: Vec<Announced> = sqlx::query_as(
        "SELECT payment_key, order_id, event_type, attempts, next_attempt_at, delivered_at \
         FROM webhooks WHERE $1 = '' OR order_id = $1 ORDER BY webhook_id",
    )
    .bind(order_id.unwrap_or_default())
    .fetch_all(desk.database.pool())
    .await?;
    for webhook in &mut webhooks {
        for at in [&mut webhook.next_attempt_at, &mut webhook.delivered_at] {
            *at = at.as_deref().map(read_instant).transpose()?;
        }
    }
    Ok(Json(webhooks))
}

impl OrderLedger {
    fn new(order_id: String) -> Self {
        Self { order_id, charged: 0, refunded: 0, charges: Vec::new(), refunds: Vec::new() }
    }

    fn enter(&mut self, entry: Entry, is_charge: bool) {
        if is_charge {
            self.charged += entry.amount;
            self.charges.push(entry);
        } else {
            self.refunded += entry.amount;
            self.refunds.push(entry);
        }
    }
}

impl Entry {
    fn new(movement: Movement) -> Result<Self, sqlx::Error> {
        Ok(Self {
            payment_key: movement.payment_key,
            transaction_key: movement.transaction_key,
            amount: movement.amount,
            reason: movement.reason,
            at: read_instant(&movement.moved_at)?,
        })
    }
}

/// `orderId`; what no store can hold is nothing it could know.
fn order(mut query: Query) -> Result<Option<String>, Problem> {
    let order_id = query.parse("orderId", "a text that can be stored, not empty", |text| {
        (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
    });
    query.finish()?;
    Ok(order_id)
}
