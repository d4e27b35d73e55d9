//! | endpoint                       | answers                                          |
//! |--------------------------------|--------------------------------------------------|
//! | `POST /v1/members/me/password` | 204; every session of the member ends            |

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::post;
use serde::Deserialize;
use service::body::Json;
use service::check::Check;
use service::problem::{FieldError, Problem, ProblemDocument};
use service::proof::Member;
use utoipa::ToSchema;

use crate::api::{Members, REVOKE, unless_concurrent};
use crate::password::{Password, Verdict};

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordChange {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 128, format = Password)]
    current_password: Option<Password>,
    #[schema(value_type = String, required = true, min_length = 10, max_length = 128, format = Password)]
    new_password: Option<Password>,
}

/// The endpoint of this file.
pub(crate) fn routes() -> Router<Members> {
    Router::new().route("/v1/members/me/password", post(change))
}

/// Gives the member that asks another password.
///
/// A wrong current password is 400 and not 401, which would look like a session that ended.
#[utoipa::path(
    post,
    path = "/v1/members/me/password",
    operation_id = "changePassword",
    tag = "members",
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    request_body = PasswordChange,
    responses(
        (status = 204, description = "The password is changed", headers(("X-Auth-Revoke" = String, description = "`member`: the gateway ends all its sessions"))),
        (status = 400, description = "INVALID_REQUEST with errors[], on currentPassword when it is wrong; or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "MEMBER_DORMANT", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "MEMBER_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "CONCURRENT_MODIFICATION: try again", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn change(
    State(members): State<Members>,
    member: Member,
    Json(body): Json<PasswordChange>,
) -> Result<impl IntoResponse, Problem> {
    let (current, new) = body.check()?;
    let found = members.active(member).await?;
    let verdict = members.passwords.verify(&current, found.password_hash.as_deref()).await?;
    if verdict == Verdict::Wrong {
        return Err(wrong());
    }
    let hash = members.passwords.hash(&new).await?;
    let now = members.clock.now();
    let is_told = members.sessions.is_some();
    unless_concurrent(members.store.change_password(&found, &hash, now, is_told).await?)?;
    members.end_sessions(found.id, now).await;
    tracing::info!(member = found.id, "changed its password");
    Ok((StatusCode::NO_CONTENT, [REVOKE]))
}

impl PasswordChange {
    fn check(self) -> Result<(Password, Password), Problem> {
        let mut check = Check::new();
        let current = Password::at_login(&mut check, "currentPassword", self.current_password);
        let new = Password::new(&mut check, "newPassword", self.new_password);
        check.finish_with(current.zip(new))
    }
}

fn wrong() -> Problem {
    Problem::invalid(vec![FieldError {
        field: "currentPassword".to_owned(),
        reason: "must be the password as it is now".to_owned(),
        rejected: None,
    }])
}
