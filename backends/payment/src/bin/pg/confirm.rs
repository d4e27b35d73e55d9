//! | endpoint                       | answers                          |
//! |--------------------------------|----------------------------------|
//! | `POST /pg/v1/payments/confirm` | the payment, its money was taken |

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use jiff::Timestamp;
use payment::pg::PgStatus;
use serde::Deserialize;
use service::body::Json;
use sqlx::AnyConnection;
use utoipa::ToSchema;

use crate::checkout::{already_processed, find_locked, session_over};
use crate::desk::{Desk, Operation, test_code};
use crate::detail::Detail;
use crate::error::{Failure, PgError};
use crate::errors::Errors;
use crate::keys::Answer;
use crate::reception::Kept;
use crate::settings::AFTER_CHARGE;
use crate::store::{self, Row};

/// What is to be charged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Confirm {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 200)]
    payment_key: Option<String>,
    #[schema(value_type = String, required = true, min_length = 1, max_length = 64)]
    order_id: Option<String>,
    #[schema(value_type = i64, required = true, minimum = 1)]
    amount: Option<i64>,
}

/// What [`Confirm`] says once it was checked.
struct Charge {
    payment_key: String,
    order_id: String,
    amount: i64,
}

/// Takes the money of a payment that the client has authenticated.
#[utoipa::path(
    post,
    path = "/pg/v1/payments/confirm",
    operation_id = "confirmPayment",
    tag = "payments",
    security(("secretKey" = [])),
    request_body = Confirm,
    responses((status = 200, description = "The payment, DONE", body = Detail), Errors)
)]
pub(crate) async fn confirm(
    State(desk): State<Desk>,
    Extension(kept): Extension<Kept>,
    headers: HeaderMap,
    Json(body): Json<Confirm>,
) -> Result<Answer, Failure> {
    let charge = body.read()?;
    let asked = test_code(&headers);
    desk.latency.pass().await;
    desk.settle(Operation::Confirm, &kept, AFTER_CHARGE, async |connection, now| {
        if let Some(error) = asked {
            refuse(&desk, connection, &charge, &error, now).await?;
            return Err(error.into());
        }
        let mut row = find_locked(connection, &charge.payment_key).await?;
        let status = row.status(desk.windows, now)?;
        check(connection, &row, status, &charge).await?;
        store::charge(connection, &mut row, now).await?;
        Ok(row)
    })
    .await
}

/// What stands against a charge.
async fn check(
    connection: &mut AnyConnection,
    row: &Row,
    status: PgStatus,
    charge: &Charge,
) -> Result<(), Failure> {
    match status {
        PgStatus::InProgress => {}
        PgStatus::Ready | PgStatus::Expired => return Err(session_over().into()),
        PgStatus::Done
        | PgStatus::Canceled
        | PgStatus::PartialCanceled
        | PgStatus::Aborted
        | PgStatus::WaitingForDeposit => return Err(already_processed().into()),
    }
    if row.order_id != charge.order_id || row.total_amount != charge.amount {
        let message = "orderId or amount is not what the client has paid for";
        return Err(PgError::invalid(message).into());
    }
    if store::is_paid(connection, &row.order_id).await? {
        return Err(PgError::new("DUPLICATED_ORDER_ID", "the order is paid already").into());
    }
    Ok(())
}

/// A refusal that was asked for is as definite as any other: the payment ends with it.
async fn refuse(
    desk: &Desk,
    connection: &mut AnyConnection,
    charge: &Charge,
    error: &PgError,
    now: Timestamp,
) -> Result<(), Failure> {
    if !Operation::Confirm.is_definite(error) || error.is_about_nothing() {
        return Ok(());
    }
    let row = store::lock(connection, &charge.payment_key).await?;
    let Some(mut row) = row else { return Ok(()) };
    if row.status(desk.windows, now)? == PgStatus::InProgress {
        store::abort(connection, &mut row, &error.told).await?;
        let detail = desk.show(connection, &row, now).await?;
        desk.announcements.add(connection, &detail, now).await?;
    }
    Ok(())
}

impl Confirm {
    fn read(self) -> Result<Charge, PgError> {
        let is_key = |key: &String| (1..=200).contains(&key.chars().count()) && !key.contains('\0');
        let payment_key = self.payment_key.filter(is_key);
        let payment_key =
            payment_key.ok_or_else(|| PgError::invalid("paymentKey has 1 to 200 characters"))?;
        let order_id = self.order_id.filter(|id| (1..=64).contains(&id.chars().count()));
        let order_id =
            order_id.ok_or_else(|| PgError::invalid("orderId has 1 to 64 characters"))?;
        let amount = self.amount.filter(|amount| *amount > 0);
        let amount = amount.ok_or_else(|| PgError::invalid("amount is a whole number from 1"))?;
        Ok(Charge { payment_key, order_id, amount })
    }
}
