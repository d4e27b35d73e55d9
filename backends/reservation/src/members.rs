//! For other services only.
//!
//! | endpoint                                               | answers                          |
//! |--------------------------------------------------------|----------------------------------|
//! | `GET /internal/v1/members/{memberId}/open-reservations` | how many of a member's are open  |

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Serialize;
use service::app::Shared;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::query;
use utoipa::ToSchema;

use crate::store;

/// How many reservations of a member are open.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OpenReservations {
    #[schema(minimum = 0)]
    count: i64,
}

/// The endpoints of this file.
pub(crate) fn routes(shared: Shared) -> Router {
    Router::new()
        .route("/internal/v1/members/{memberId}/open-reservations", get(count_open))
        .with_state(shared)
}

/// Counts a member's reservations whose room or money is still on its way.
///
/// A member that nobody knows has none.
#[utoipa::path(
    get,
    path = "/internal/v1/members/{memberId}/open-reservations",
    operation_id = "countOpenReservations",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("memberId" = i64, Path, minimum = 1, description = "Id of the member")),
    responses(
        (status = 200, description = "How many", body = One<OpenReservations>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT, with Retry-After", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn count_open(
    State(shared): State<Shared>,
    Path(member_id): Path<String>,
) -> Result<One<OpenReservations>, Problem> {
    let member_id = query::id("memberId", &member_id)?;
    let count = store::count_open(shared.database.pool(), member_id).await?;
    Ok(One::new(&shared.clock, OpenReservations { count }))
}
