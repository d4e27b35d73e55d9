//! | endpoint                                        | answers                              |
//! |-------------------------------------------------|--------------------------------------|
//! | `GET /internal/v1/members/{memberId}/contact`   | 200 with the e-mail address          |

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Serialize;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::query;
use utoipa::ToSchema;

use crate::api::{Members, not_found};
use crate::kind::Status;

/// Where a member can be reached.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Contact {
    #[schema(minimum = 1, example = 42)]
    member_id: i64,
    /// Null for a member who is not active.
    #[schema(format = "email")]
    email: Option<String>,
}

/// The endpoint of this file.
pub(crate) fn routes() -> Router<Members> {
    Router::new().route("/internal/v1/members/{memberId}/contact", get(show))
}

/// Tells other services where a member can be reached.
#[utoipa::path(
    get,
    path = "/internal/v1/members/{memberId}/contact",
    operation_id = "showContact",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("memberId" = i64, Path, minimum = 1, description = "Id of the member")),
    responses(
        (status = 200, description = "The member", body = One<Contact>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "MEMBER_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn show(
    State(members): State<Members>,
    Path(member_id): Path<String>,
) -> Result<One<Contact>, Problem> {
    let member_id = query::id("memberId", &member_id)?;
    let member = members.store.find(member_id).await?.ok_or_else(not_found)?;
    let email = (member.status == Status::Active).then_some(member.email).flatten();
    Ok(One::new(&members.clock, Contact { member_id, email }))
}
