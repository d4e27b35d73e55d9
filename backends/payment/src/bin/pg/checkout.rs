//! Plays the window in which the client pays. Whoever opens it needs no key.
//!
//! | endpoint                                         | answers                                 |
//! |--------------------------------------------------|-----------------------------------------|
//! | `POST /pg/v1/checkout`                           | the payment key the client comes back with |
//! | `POST /pg/v1/checkout/{paymentKey}/authenticate` | the same, for a window left open before |

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::post;
use payment::pg::PgStatus;
use serde::{Deserialize, Serialize};
use service::body::Json;
use service::code::Code;
use service::stored::instant;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::desk::Desk;
use crate::error::{Failure, PgError, named};
use crate::errors::Errors;
use crate::store::{self, Row};

/// What is to be paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Checkout {
    /// Letters, digits, `-` and `_`.
    #[schema(value_type = String, required = true, min_length = 6, max_length = 64, pattern = "^[A-Za-z0-9_-]+$")]
    order_id: Option<String>,
    #[schema(value_type = String, required = true, min_length = 1, max_length = 100)]
    order_name: Option<String>,
    #[schema(value_type = i64, required = true, minimum = 1, maximum = 1_000_000_000)]
    amount: Option<i64>,
    /// How much of it is free of tax; at most the amount (0).
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    tax_free_amount: Option<i64>,
    /// False leaves the window open, as a client does who has not paid yet (true).
    authenticate: Option<bool>,
}

/// What the client comes back with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Opened {
    payment_key: String,
}

/// What [`Checkout`] says once it was checked.
struct Wish {
    order_id: String,
    order_name: String,
    amount: i64,
    tax_free_amount: i64,
    is_authenticated: bool,
}

const MOST: i64 = 1_000_000_000;

/// The endpoints of this file.
pub(crate) fn routes(desk: Desk) -> Router {
    Router::new()
        .route("/pg/v1/checkout", post(open))
        .route("/pg/v1/checkout/{paymentKey}/authenticate", post(authenticate))
        .with_state(desk)
}

/// Opens the window and, unless told otherwise, pays in it.
#[utoipa::path(
    post,
    path = "/pg/v1/checkout",
    operation_id = "checkOut",
    tag = "checkout",
    request_body = Checkout,
    responses(
        (status = 200, description = "The payment is IN_PROGRESS: it can be confirmed now", body = Opened),
        Errors,
    )
)]
pub(crate) async fn open(
    State(desk): State<Desk>,
    Json(checkout): Json<Checkout>,
) -> Result<axum::Json<Opened>, Failure> {
    let wish = checkout.read()?;
    let now = instant(desk.clock.now());
    let status = if wish.is_authenticated { PgStatus::InProgress } else { PgStatus::Ready };
    let row = Row {
        payment_key: format!("pk_{}", Uuid::now_v7().simple()),
        order_id: wish.order_id,
        order_name: wish.order_name,
        status: status.code().to_owned(),
        total_amount: wish.amount,
        balance_amount: wish.amount,
        tax_free_amount: wish.tax_free_amount,
        authenticated_at: wish.is_authenticated.then(|| now.clone()),
        requested_at: now,
        approved_at: None,
        last_transaction_key: None,
        failure_code: None,
        failure_message: None,
    };
    let mut transaction = desk.database.write().await?;
    if store::is_paid(&mut transaction, &row.order_id).await? {
        return Err(PgError::new("DUPLICATED_ORDER_ID", "the order is paid already").into());
    }
    store::add(&mut transaction, &row).await?;
    transaction.commit().await?;
    Ok(axum::Json(Opened { payment_key: row.payment_key }))
}

/// Pays in a window that was left open.
#[utoipa::path(
    post,
    path = "/pg/v1/checkout/{paymentKey}/authenticate",
    operation_id = "authenticate",
    tag = "checkout",
    params(("paymentKey" = String, Path, description = "Key of the window")),
    responses(
        (status = 200, description = "The payment is IN_PROGRESS: it can be confirmed now", body = Opened),
        Errors,
    )
)]
pub(crate) async fn authenticate(
    State(desk): State<Desk>,
    Path(payment_key): Path<String>,
) -> Result<axum::Json<Opened>, Failure> {
    let payment_key = named(payment_key)?;
    let mut transaction = desk.database.write().await?;
    let now = desk.clock.now();
    let row = find_locked(&mut transaction, &payment_key).await?;
    match row.status(desk.windows, now)? {
        PgStatus::Ready => {}
        PgStatus::Expired => return Err(session_over().into()),
        PgStatus::InProgress
        | PgStatus::WaitingForDeposit
        | PgStatus::Done
        | PgStatus::Canceled
        | PgStatus::PartialCanceled
        | PgStatus::Aborted => return Err(already_processed().into()),
    }
    store::authenticate(&mut transaction, &payment_key, now).await?;
    transaction.commit().await?;
    Ok(axum::Json(Opened { payment_key }))
}

/// A payment that nobody else can change now.
pub(crate) async fn find_locked(
    connection: &mut sqlx::AnyConnection,
    payment_key: &str,
) -> Result<Row, Failure> {
    Ok(store::lock(connection, payment_key).await?.ok_or_else(PgError::not_found)?)
}

pub(crate) fn session_over() -> PgError {
    PgError::new("NOT_FOUND_PAYMENT_SESSION", "the time to pay is over, or has not begun")
}

pub(crate) fn already_processed() -> PgError {
    PgError::new("ALREADY_PROCESSED_PAYMENT", "the payment was processed already")
}

impl Checkout {
    fn read(self) -> Result<Wish, PgError> {
        let is_id = |id: &String| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (6..=64).contains(&id.len()) && id.bytes().all(is_plain)
        };
        let order_id = self.order_id.filter(is_id);
        let order_id = order_id
            .ok_or_else(|| PgError::invalid("orderId has 6 to 64 letters, digits, - and _"))?;
        let is_name = |name: &String| {
            (1..=100).contains(&name.chars().count()) && !name.chars().any(char::is_control)
        };
        let order_name = self.order_name.filter(is_name);
        let order_name =
            order_name.ok_or_else(|| PgError::invalid("orderName has 1 to 100 characters"))?;
        let amount = self.amount.filter(|amount| (1..=MOST).contains(amount));
        let amount = amount.ok_or_else(|| {
            PgError::invalid(format!("amount is a whole number from 1 to {MOST}"))
        })?;
        let tax_free_amount = self.tax_free_amount.unwrap_or(0);
        if !(0..=amount).contains(&tax_free_amount) {
            return Err(PgError::invalid("taxFreeAmount is from 0 to the amount"));
        }
        let is_authenticated = self.authenticate.unwrap_or(true);
        Ok(Wish { order_id, order_name, amount, tax_free_amount, is_authenticated })
    }
}
