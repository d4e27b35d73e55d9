//! | endpoint                              | answers                                           |
//! |---------------------------------------|---------------------------------------------------|
//! | `GET /v1/payment?orderId\|paymentKey` | one of the member's own payments, by what it is for |
//! | `GET /v1/payment/{paymentId}`         | one of them                                       |

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use service::app::Shared;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::proof::Member;
use service::query::Query;
use uuid::Uuid;

use crate::payment::PaymentDetail;
use crate::store::{self, By};

/// The endpoints of this file.
pub(crate) fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/v1/payment", get(find))
        .route("/v1/payment/{paymentId}", get(show))
        .with_state(shared)
}

/// Finds one of the member's own payments.
///
/// Either `orderId` or `paymentKey` must be given.
#[utoipa::path(
    get,
    path = "/v1/payment",
    operation_id = "findPayment",
    tag = "payments",
    params(
        ("orderId" = Option<String>, Query, description = "Id of the reservation that is paid"),
        ("paymentKey" = Option<String>, Query, description = "Key that the payment gateway gave the client"),
    ),
    responses(
        (status = 200, description = "The payment", body = One<PaymentDetail>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOT_FOUND_PAYMENT: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn find(
    State(shared): State<Shared>,
    member: Member,
    mut query: Query,
) -> Result<One<PaymentDetail>, Problem> {
    let key = read_key(&mut query);
    query.finish()?;
    look_up(&shared, member, key).await
}

/// Shows one of the member's own payments.
#[utoipa::path(
    get,
    path = "/v1/payment/{paymentId}",
    operation_id = "showPayment",
    tag = "payments",
    params(("paymentId" = String, Path, format = "uuid", description = "Id of the payment")),
    responses(
        (status = 200, description = "The payment", body = One<PaymentDetail>),
        (status = 400, description = "INVALID_REQUEST", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "NOT_FOUND_PAYMENT: there is none, or it is another member's", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn show(
    State(shared): State<Shared>,
    member: Member,
    Path(payment_id): Path<String>,
) -> Result<One<PaymentDetail>, Problem> {
    // What is no UUID is the id of no payment.
    let key = Uuid::try_parse(&payment_id).ok().map(By::Id);
    look_up(&shared, member, key).await
}

async fn look_up(
    shared: &Shared,
    member: Member,
    key: Option<By>,
) -> Result<One<PaymentDetail>, Problem> {
    let stored = match key {
        Some(key) => store::find(shared.database.pool(), member.id, key).await?,
        None => None,
    };
    let stored = stored
        .ok_or_else(|| Problem::not_found("NOT_FOUND_PAYMENT", "you have no such payment"))?;
    Ok(One::new(&shared.clock, PaymentDetail::new(stored)?))
}

/// Reads what the payment is looked up by; a fault is recorded in `query`.
fn read_key(query: &mut Query) -> Option<By> {
    match (query.one("orderId"), query.one("paymentKey")) {
        (Some(order_id), None) => Some(By::Order(order_id)),
        (None, Some(payment_key)) => Some(By::PaymentKey(payment_key)),
        (None, None) => {
            query.reject("orderId", "must be given, or paymentKey", None);
            None
        }
        (Some(_), Some(payment_key)) => {
            query.reject("paymentKey", "must not be given beside orderId", Some(payment_key));
            None
        }
    }
}

#[cfg(test)]
mod tests;
