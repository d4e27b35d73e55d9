//! | endpoint                                | answers                                             |
//! |-----------------------------------------|-----------------------------------------------------|
//! | `GET /pg/v1/payments/{paymentKey}`      | one payment                                         |
//! | `GET /pg/v1/payments/orders/{orderId}`  | the payment an order was paid with, else the latest |

use axum::extract::{Path, State};
use axum::http::HeaderMap;

use crate::desk::{Desk, test_code};
use crate::detail::Detail;
use crate::error::{Failure, PgError};
use crate::errors::Errors;
use crate::store;

/// Tells of one payment.
#[utoipa::path(
    get,
    path = "/pg/v1/payments/{paymentKey}",
    operation_id = "findByKey",
    tag = "payments",
    security(("secretKey" = [])),
    params(("paymentKey" = String, Path, description = "Key of the payment")),
    responses((status = 200, description = "The payment", body = Detail), Errors)
)]
pub(crate) async fn by_key(
    State(desk): State<Desk>,
    Path(payment_key): Path<String>,
    headers: HeaderMap,
) -> Result<axum::Json<Detail>, Failure> {
    find(&desk, &headers, &payment_key, false).await
}

/// Tells how an order was paid.
#[utoipa::path(
    get,
    path = "/pg/v1/payments/orders/{orderId}",
    operation_id = "findByOrder",
    tag = "payments",
    security(("secretKey" = [])),
    params(("orderId" = String, Path, description = "Id of the order")),
    responses((status = 200, description = "The payment", body = Detail), Errors)
)]
pub(crate) async fn by_order(
    State(desk): State<Desk>,
    Path(order_id): Path<String>,
    headers: HeaderMap,
) -> Result<axum::Json<Detail>, Failure> {
    find(&desk, &headers, &order_id, true).await
}

async fn find(
    desk: &Desk,
    headers: &HeaderMap,
    id: &str,
    is_order: bool,
) -> Result<axum::Json<Detail>, Failure> {
    if let Some(error) = test_code(headers) {
        return Err(error.into());
    }
    // In one transaction, so that a payment and its refunds agree.
    let mut transaction = desk.database.pool().begin().await?;
    let row = if is_order {
        store::by_order(&mut transaction, id).await?
    } else {
        store::by_key(&mut transaction, id).await?
    };
    let row = row.ok_or_else(PgError::not_found)?;
    let detail = desk.show(&mut transaction, &row, desk.clock.now()).await?;
    transaction.commit().await?;
    Ok(axum::Json(detail))
}
