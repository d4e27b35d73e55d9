//! | endpoint                | answers                                                    |
//! |-------------------------|------------------------------------------------------------|
//! | `DELETE /v1/members/me` | 204; what is personal is erased, the id stays, sessions end |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::delete;
use service::problem::{Problem, ProblemDocument};
use service::proof::Member;

use crate::api::{Members, REVOKE, unless_concurrent};

/// The endpoint of this file.
pub(crate) fn routes() -> Router<Members> {
    Router::new().route("/v1/members/me", delete(withdraw))
}

/// Ends the membership of the member that asks.
#[utoipa::path(
    delete,
    path = "/v1/members/me",
    operation_id = "withdraw",
    tag = "members",
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    responses(
        (status = 204, description = "The member is gone", headers(("X-Auth-Revoke" = String, description = "`member`: the gateway ends all its sessions"))),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "MEMBER_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "MEMBER_HAS_OPEN_RESERVATIONS; CONCURRENT_MODIFICATION when the same may be tried again", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 502, description = "UPSTREAM_PROTOCOL: the reservation service answers in an unexpected way", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "RESERVATION_UNAVAILABLE, STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
        (status = 504, description = "UPSTREAM_TIMEOUT: the reservation service does not answer", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn withdraw(
    State(members): State<Members>,
    member: Member,
) -> Result<impl IntoResponse, Problem> {
    let found = members.find(member.id).await?;
    if let Some(reservations) = &members.reservations {
        reservations.refuse_open(found.id).await?;
    }
    let (now, is_told) = (members.clock.now(), members.sessions.is_some());
    unless_concurrent(members.store.withdraw(&found, now, is_told).await?)?;
    members.end_sessions(found.id, now).await;
    tracing::info!(member = found.id, "withdrew");
    Ok((StatusCode::NO_CONTENT, [REVOKE]))
}
