//! What the service answers, and what its endpoints share.
//!
//! | endpoint                                        | file              | called by              |
//! |-------------------------------------------------|-------------------|------------------------|
//! | `POST /v1/members`                              | `sign_up`         | the gateway            |
//! | `POST /v1/login`                                | `login`           | the gateway            |
//! | `GET /v1/members/me`                            | `profile`         | the gateway, a member  |
//! | `GET /v1/members/{memberId}`                    | `profile`         | the gateway, a member  |
//! | `POST /v1/members/{memberId}/nickname`          | `profile`         | the gateway, a member  |
//! | `POST /v1/members/me/password`                  | `password_change` | the gateway, a member  |
//! | `DELETE /v1/members/me`                         | `withdrawal`      | the gateway, a member  |
//! | `GET /internal/v1/members/{memberId}/auth-view` | `auth_view`       | a service              |
//! | `GET /internal/v1/members/{memberId}/contact`   | `contact`         | a service              |

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use service::clock::Clock;
use service::keys::KeySet;
use service::problem::Problem;
use service::proof::{Member, SecuritySchemes, from_gateway, from_services};
use utoipa::OpenApi;

use crate::kind::Status;
use crate::password::Passwords;
use crate::reservations::Reservations;
use crate::sessions::Sessions;
use crate::store::{Record, Revocation, Store};
use crate::{auth_view, contact, login, password_change, profile, sign_up, withdrawal};

/// On an answer: the gateway ends all sessions of the member before it hands the answer on.
pub(crate) const REVOKE: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-auth-revoke"), HeaderValue::from_static("member"));

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Members {
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    pub(crate) clock: Clock,
    /// Who knows whether a member may withdraw; nobody asks where there is none.
    pub(crate) reservations: Option<Reservations>,
    /// Whom to tell of sessions that have to end, beside [`REVOKE`] on the answer.
    pub(crate) sessions: Option<Sessions>,
}

/// The `OpenAPI` document.
#[derive(Debug, OpenApi)]
#[openapi(
    info(title = "Member", description = "Members: sign-up, log-in, look-up."),
    paths(
        sign_up::sign_up,
        login::log_in,
        profile::show_me,
        profile::show,
        profile::rename,
        password_change::change,
        withdrawal::withdraw,
        auth_view::show,
        contact::show,
    ),
    tags(
        (name = "members", description = "Members and their accounts"),
        (name = "internal", description = "For other services only"),
    ),
    modifiers(&SecuritySchemes),
)]
pub(crate) struct Api;

/// Every endpoint, behind the proof it asks for.
pub(crate) fn routes(members: Members, keys: &KeySet, clock: &Clock) -> Router {
    let outer = Router::new()
        .merge(sign_up::routes())
        .merge(login::routes())
        .merge(profile::routes())
        .merge(password_change::routes())
        .merge(withdrawal::routes())
        .with_state(members.clone());
    let inner = auth_view::routes().merge(contact::routes()).with_state(members);
    from_gateway(outer, keys, clock).merge(from_services(inner, keys, clock))
}

impl Members {
    /// Ends the sessions of a member whose change is in the store. The answer asks for the same, but
    /// it may never arrive; what cannot be told now is told later.
    pub(crate) async fn end_sessions(&self, member_id: i64, now: Timestamp) {
        let Some(sessions) = &self.sessions else { return };
        let told = match sessions.revoke(member_id).await {
            Ok(()) => self.store.delivered(&Revocation::at(member_id, now)).await,
            Err(error) => {
                tracing::warn!(%error, "the gateway ends no sessions now; once more soon");
                return;
            }
        };
        if let Err(error) = told {
            tracing::warn!(%error, "the gateway is told once more");
        }
    }

    /// A member that has not withdrawn.
    pub(crate) async fn find(&self, id: i64) -> Result<Record, Problem> {
        let member = self.store.find(id).await?;
        member.filter(|member| member.status != Status::Withdrawn).ok_or_else(not_found)
    }

    /// The member that asks, if it may use its account.
    pub(crate) async fn active(&self, member: Member) -> Result<Record, Problem> {
        let member = self.find(member.id).await?;
        if member.status == Status::Dormant { Err(dormant()) } else { Ok(member) }
    }
}

pub(crate) fn not_found() -> Problem {
    Problem::not_found("MEMBER_NOT_FOUND", "there is no such member")
}

pub(crate) fn dormant() -> Problem {
    let detail = "the account sleeps after a long absence; log in with consent: true to wake it";
    Problem::new(StatusCode::FORBIDDEN, "MEMBER_DORMANT", detail)
}

pub(crate) fn nick_name_taken() -> Problem {
    Problem::conflict("MEMBER_NICKNAME_DUPLICATED", "another member has this nickname; choose one")
}

/// Whether a change that met another one went through.
pub(crate) fn unless_concurrent(is_done: bool) -> Result<(), Problem> {
    if is_done { Ok(()) } else { Err(Problem::concurrent()) }
}

#[cfg(test)]
mod tests;
