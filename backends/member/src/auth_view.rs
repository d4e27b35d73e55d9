//! | endpoint                                        | answers                              |
//! |-------------------------------------------------|--------------------------------------|
//! | `GET /internal/v1/members/{memberId}/auth-view` | 200 with role and status             |

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde::Serialize;
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::proof::Role;
use service::query;
use utoipa::ToSchema;

use crate::api::{Members, not_found};
use crate::kind::Status;

/// What decides whether a member may do something. One that has withdrawn is still shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthView {
    #[schema(minimum = 1, example = 42)]
    member_id: i64,
    role: Role,
    status: Status,
}

/// The endpoint of this file.
pub(crate) fn routes() -> Router<Members> {
    Router::new().route("/internal/v1/members/{memberId}/auth-view", get(show))
}

/// Tells other services what a member may do.
#[utoipa::path(
    get,
    path = "/internal/v1/members/{memberId}/auth-view",
    operation_id = "showAuthView",
    tag = "internal",
    security(("serviceProof" = [])),
    params(("memberId" = i64, Path, minimum = 1, description = "Id of the member")),
    responses(
        (status = 200, description = "The member", body = One<AuthView>),
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
) -> Result<One<AuthView>, Problem> {
    let member_id = query::id("memberId", &member_id)?;
    let member = members.store.find(member_id).await?.ok_or_else(not_found)?;
    let view = AuthView { member_id, role: member.role, status: member.status };
    Ok(One::new(&members.clock, view))
}
