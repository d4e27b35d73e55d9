//! | endpoint                               | answers                                     |
//! |----------------------------------------|---------------------------------------------|
//! | `GET /v1/members/me`                   | 200 with the member that asks               |
//! | `GET /v1/members/{memberId}`           | 200 with itself, or with anybody for ADMIN  |
//! | `POST /v1/members/{memberId}/nickname` | 204, for itself only                        |

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use jiff::Unit;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use service::body::Json;
use service::check::Check;
use service::clock::{Clock, stamp};
use service::envelope::One;
use service::problem::{Problem, ProblemDocument};
use service::proof::{Member, Role};
use service::query;
use utoipa::ToSchema;

use crate::api::{Members, nick_name_taken, not_found, unless_concurrent};
use crate::kind::{AccountType, Gender, Status};
use crate::store::Record;

/// A member as it sees itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    #[schema(minimum = 1, example = 42)]
    member_id: i64,
    #[schema(example = "a@example.com")]
    member_email: String,
    member_name: String,
    nick_name: Option<String>,
    #[schema(example = "01000000000")]
    phone_number: Option<String>,
    #[schema(format = Date, example = "1991-08-09")]
    birthday: Option<String>,
    /// In full years, from the birthday.
    #[schema(minimum = 0)]
    age: Option<i16>,
    gender: Option<Gender>,
    member_role: Role,
    account_type: AccountType,
    status: Status,
    /// When it signed up.
    #[schema(example = "2025-05-01T10:00:00.000+09:00")]
    join_date: String,
    /// When it logged in last.
    last_login_date: Option<String>,
    /// Since when it is dormant.
    dormancy_date: Option<String>,
}

/// Another nickname.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rename {
    #[schema(value_type = String, required = true, min_length = 1, max_length = 15)]
    nick_name: Option<String>,
}

/// The endpoints of this file.
pub(crate) fn routes() -> Router<Members> {
    Router::new()
        .route("/v1/members/me", get(show_me))
        .route("/v1/members/{memberId}", get(show))
        .route("/v1/members/{memberId}/nickname", post(rename))
}

/// Shows the member that asks.
#[utoipa::path(
    get,
    path = "/v1/members/me",
    operation_id = "showMe",
    tag = "members",
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    responses(
        (status = 200, description = "The member", body = One<Profile>),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "MEMBER_NOT_FOUND", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn show_me(
    State(members): State<Members>,
    member: Member,
) -> Result<One<Profile>, Problem> {
    let found = members.find(member.id).await?;
    Ok(One::new(&members.clock, Profile::new(found, &members.clock)))
}

/// Shows a member to itself or to an administrator.
#[utoipa::path(
    get,
    path = "/v1/members/{memberId}",
    operation_id = "showMember",
    tag = "members",
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    params(("memberId" = i64, Path, minimum = 1, description = "Id of the member")),
    responses(
        (status = 200, description = "The member", body = One<Profile>),
        (status = 400, description = "INVALID_REQUEST with errors[]", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "MEMBER_NOT_FOUND, also for members the caller may not see", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn show(
    State(members): State<Members>,
    member: Member,
    Path(member_id): Path<String>,
) -> Result<One<Profile>, Problem> {
    let member_id = query::id("memberId", &member_id)?;
    if member.id != member_id && member.role != Role::Admin {
        return Err(not_found());
    }
    let found = members.find(member_id).await?;
    Ok(One::new(&members.clock, Profile::new(found, &members.clock)))
}

/// Gives the member that asks another nickname.
#[utoipa::path(
    post,
    path = "/v1/members/{memberId}/nickname",
    operation_id = "renameMember",
    tag = "members",
    security(("gatewayProof" = [], "memberId" = [], "memberRole" = [])),
    params(("memberId" = i64, Path, minimum = 1, description = "Id of the member")),
    request_body = Rename,
    responses(
        (status = 204, description = "The member has the nickname"),
        (status = 400, description = "INVALID_REQUEST with errors[], or MALFORMED_JSON", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 401, description = "UNTRUSTED_CALLER", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "MEMBER_DORMANT", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 404, description = "MEMBER_NOT_FOUND, also for other members", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 409, description = "MEMBER_NICKNAME_DUPLICATED; CONCURRENT_MODIFICATION when the same may be tried again", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 413, description = "REQUEST_TOO_LARGE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 415, description = "UNSUPPORTED_MEDIA_TYPE", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 500, description = "INTERNAL_ERROR", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 503, description = "STORE_UNAVAILABLE or TIMEOUT", body = ProblemDocument, content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds to wait"))),
    )
)]
pub(crate) async fn rename(
    State(members): State<Members>,
    member: Member,
    Path(member_id): Path<String>,
    Json(body): Json<Rename>,
) -> Result<StatusCode, Problem> {
    let member_id = query::id("memberId", &member_id)?;
    let nick_name = body.check()?;
    if member.id != member_id {
        return Err(not_found());
    }
    let found = members.active(member).await?;
    let renamed = members.store.rename(&found, &nick_name, members.clock.now()).await?;
    unless_concurrent(renamed.map_err(|_| nick_name_taken())?)?;
    Ok(StatusCode::NO_CONTENT)
}

impl Rename {
    fn check(self) -> Result<String, Problem> {
        let mut check = Check::new();
        let nick_name = check.text("nickName", self.nick_name.as_deref(), 1..=15);
        check.finish_with(nick_name)
    }
}

impl Profile {
    fn new(member: Record, clock: &Clock) -> Self {
        let today = clock.today();
        Self {
            member_id: member.id,
            member_email: member.email.unwrap_or_default(),
            member_name: member.name.unwrap_or_default(),
            nick_name: member.nick_name,
            phone_number: member.phone_number,
            birthday: member.birthday.map(|day| day.to_string()),
            age: member.birthday.and_then(|day| full_years(day, today)),
            gender: member.gender,
            member_role: member.role,
            account_type: member.account_type,
            status: member.status,
            join_date: stamp(member.joined_at),
            last_login_date: member.last_login_at.map(stamp),
            dormancy_date: member.dormant_at.map(stamp),
        }
    }
}

fn full_years(birthday: Date, today: Date) -> Option<i16> {
    birthday.until((Unit::Year, today)).ok().map(|age| age.get_years())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_year_is_full_on_the_birthday() {
        let born = date(1992, 2, 29);
        for (today, age) in [
            (date(1992, 3, 1), 0),
            (date(2025, 2, 28), 32),
            (date(2025, 3, 1), 33),
            (date(2024, 2, 28), 31),
            (date(2024, 2, 29), 32),
        ] {
            assert_eq!(full_years(born, today), Some(age), "{today}");
        }
    }
}
